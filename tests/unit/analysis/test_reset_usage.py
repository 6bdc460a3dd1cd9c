"""What the reset gate does, against running the step without it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.analysis.cell import Cell
from service.analysis.recorded import Recorded
from service.analysis.reset_usage import ResetUsage, history_share, reset_impact
from service.bundle.manifest import Reset
from tests.unit.analysis.layers import cells, made_cell, made_run, ran, sliced, waiting


def impact_by_setting(cell: Cell, recorded: Recorded) -> np.ndarray:
    """Each step once more from the same state, with a reset of 1."""
    rows = []
    touch = {(0, "reset", u): (1.0, 1.0) for u in range(cell.width)}
    for t in range(recorded.steps):
        x, h = recorded.tensor("layer_input")[[t]], recorded.tensor("before")[t]
        other = recorded.tensor("candidate")[t] - ran(cell, x, h, touch)["candidate"][0]
        rows.append(np.abs(recorded.tensor("update")[t] * other))
    return np.array(rows)


@given(cells(), st.integers(1, 30), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_impact_and_share(cell: Cell, steps: int, size: int, seed: int) -> None:
    recorded = made_run(cell, steps, seed)
    expected = impact_by_setting(cell, recorded)
    np.testing.assert_allclose(reset_impact(recorded, cell), expected, atol=1e-12)
    usage = ResetUsage(cell)
    for one in sliced(recorded, size):
        usage.add(one)
    found = usage.result()
    np.testing.assert_allclose(found.impact, expected.mean(axis=0), atol=1e-12)
    for u in range(cell.width):
        shares = []
        for t in range(steps):
            history = abs(recorded.tensors["candidate_history"][t, u])
            given_ = abs(recorded.tensors["candidate_input"][t, u])
            shares.append(history / (history + given_))
        assert found.share[u] == pytest.approx(sum(shares) / steps)


def test_steps_before_a_window_is_full_do_not_count() -> None:
    cell = made_cell(0)
    recorded = made_run(cell, 9)
    usage, whole = ResetUsage(cell), ResetUsage(cell)
    usage.add(waiting(recorded, 4))
    whole.add(Recorded(0, {name: one[4:] for name, one in recorded.tensors.items()}))
    np.testing.assert_allclose(usage.result().impact, whole.result().impact)
    np.testing.assert_allclose(usage.result().share, whole.result().share)


def test_nothing_of_nothing_is_no_share() -> None:
    recorded = made_run(made_cell(0), 2)
    recorded.tensors["candidate_history"][0] = recorded.tensors["candidate_input"][0] = 0
    assert np.isnan(history_share(recorded)[0]).all()
    assert not np.isnan(history_share(recorded)[1]).any()


@pytest.mark.parametrize("reset", ["before", "after"])
def test_a_reset_set_to_one_and_a_set_candidate_have_no_impact(reset: Reset) -> None:
    cell = made_cell(0, reset=reset)
    x = np.random.default_rng(0).normal(size=(2, 2))
    touch = {(0, "reset", u): (1.0, 1.0) for u in range(3)} | {(1, "candidate", 1): (1.0, 0.5)}
    found = reset_impact(Recorded(0, ran(cell, x, np.ones(3), touch)), cell)
    assert found[0].tolist() == [0, 0, 0]
    assert found[1, 1] == 0
    assert found[1, [0, 2]].min() > 0
