"""Memory length and mean age, by loops and by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.analysis.cell import Cell
from service.analysis.keep import keep, log_keep, write
from service.analysis.memory import MeanAge, Memory
from service.analysis.recorded import Recorded
from tests.unit.analysis.layers import cells, made_cell, made_run, ran, sliced, waiting


def memory(cell: Cell, slices: list[Recorded]) -> tuple[list[float], list[float], list[bool]]:
    lengths = Memory(cell.width)
    for one in slices:
        lengths.add(log_keep(one, cell))
    found = lengths.result()
    return found.tau.tolist(), found.half_life.tolist(), found.outlasts.tolist()


@given(cells(), st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_length_is_that_of_loops(cell: Cell, steps: int, size: int, seed: int) -> None:
    recorded = made_run(cell, steps, seed)
    tau, half_life, outlasts = memory(cell, sliced(recorded, size))
    for u in range(cell.width):
        logs = []
        for t in range(steps):
            kept = abs(1 - recorded.tensors["update"][t, u])
            logs.append(math.log(kept) if kept > 0 else -math.inf)
        mean = sum(logs) / steps
        expected = math.inf if mean >= 0 else -1 / mean
        # Where nearly everything is kept, 1 − update has few digits.
        if expected < 1e6:
            assert tau[u] == pytest.approx(expected, rel=1e-6)
            assert half_life[u] == pytest.approx(math.log(2) * expected, rel=1e-6)
        assert outlasts[u] == (tau[u] >= steps)


@pytest.mark.parametrize("keeps", [False, True])
def test_length_far_beyond_float32(keeps: bool) -> None:
    """The sigmoid of −20 is 2.1e-9: 1 minus that is exactly 1 in float32."""
    cell = made_cell(0, H=2, keeps=keeps)
    pre = np.array([[20.0, -20.0]] * 5, np.float32) * (1 if keeps else -1)
    update = np.array([[0.0, 1.0]] * 5, np.float32)
    recorded = Recorded(0, {"update": update, "update_pre": pre})
    tau, _, outlasts = memory(cell, [recorded])
    assert tau == pytest.approx([1 / math.log1p(math.exp(-20)), 1 / math.log1p(math.exp(20))])
    assert outlasts == [True, False]
    assert keep(recorded, cell)[0].tolist() == pytest.approx([1, math.exp(-20)], rel=1e-8)
    assert write(recorded, cell)[0].tolist() == pytest.approx([math.exp(-20), 1], rel=1e-8)


def test_nothing_kept_once_is_no_memory_and_nothing_known_is_none() -> None:
    cell = made_cell(0, H=3, gate="HardSigmoid")
    pre = np.array([[0.0, -9, np.nan], [9, -9, np.nan]])
    tau, _, outlasts = memory(cell, [Recorded(0, {"update": pre, "update_pre": pre})])
    assert tau[:2] == [0, math.inf]
    assert math.isnan(tau[2])
    assert outlasts == [False, True, False]


def test_a_set_update_counts_as_it_was_set() -> None:
    cell = made_cell(1, H=2)
    x = np.random.default_rng(0).normal(size=(4, 2))
    recorded = Recorded(0, ran(cell, x, np.zeros(2), {(2, "update", 1): (1.0, 0.75)}))
    expected = np.log(1 - recorded.tensors["update"])
    assert expected[2, 1] == math.log(0.25)
    np.testing.assert_allclose(log_keep(recorded, cell), expected)
    np.testing.assert_allclose(keep(recorded, cell), 1 - recorded.tensors["update"])
    np.testing.assert_allclose(write(recorded, cell), recorded.tensors["update"])


@given(cells(), st.integers(1, 40), st.integers(1, 40), st.integers(0, 5))
def test_age_is_that_of_loops(cell: Cell, steps: int, size: int, blank: int) -> None:
    recorded = waiting(made_run(cell, steps), blank)
    ages = MeanAge(cell)
    found = np.concatenate([ages.add(one) for one in sliced(recorded, size)])
    for u in range(cell.width):
        age = 0.0
        for t in range(steps):
            if t < blank:
                assert math.isnan(found[t, u])
                continue
            age = (1 - recorded.tensors["update"][t, u]) * (age + 1)
            assert found[t, u] == pytest.approx(age, rel=1e-6, abs=1e-9)
