"""What a unit holds, against the state itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.analysis.attribution import attribute
from service.analysis.cell import Cell
from service.errors import InvalidInput
from tests.unit.analysis.layers import cells, made_cell, made_run, sliced, waiting


@given(cells(), st.integers(1, 40), st.integers(1, 40), st.data())
def test_weights_add_up_to_one_and_rebuild_the_state(
    cell: Cell, steps: int, size: int, data: st.DataObject
) -> None:
    recorded = made_run(cell, steps, begin=7)
    step = data.draw(st.integers(7, 6 + steps))
    units = data.draw(st.lists(st.integers(0, cell.width - 1), min_size=1))
    found = attribute(sliced(recorded, size)[::-1], cell, step, units)
    assert found.weights.shape == (step + 1 - found.begin, len(units))
    # Where a gate is no sigmoid, what is kept may grow, and its rounding with it.
    rounding = 1e-11 * max(1.0, np.abs(found.weights).max(), np.abs(found.rest).max())
    np.testing.assert_allclose(found.weights.sum(axis=0) + found.rest, 1, atol=rounding)
    rows = slice(found.begin - 7, step - 6)
    candidates = recorded.tensors["candidate"][rows][:, units]
    rebuilt = (found.weights * candidates).sum(axis=0)
    rebuilt += found.rest * recorded.tensors["before"][found.begin - 7, units]
    expected = recorded.tensors["hidden"][step - 7, units]
    np.testing.assert_allclose(rebuilt, expected, atol=10 * rounding)
    assert found.reaches_start == bool((abs(found.rest) >= 1e-7).any())
    assert not found.reaches_start or found.begin == 7


@given(cells(gates=("Sigmoid",)), st.integers(1, 30), st.integers(0, 5))
def test_each_weight_is_that_of_loops(cell: Cell, steps: int, blank: int) -> None:
    recorded = waiting(made_run(cell, steps + blank), blank)
    found = attribute([recorded], cell, steps + blank - 1, range(cell.width), least=0)
    assert (found.begin, found.reaches_start) == (blank, True)
    w = recorded.tensors["update"]
    for u in range(cell.width):
        for s in range(blank, steps + blank):
            expected = w[s, u]
            for j in range(s + 1, steps + blank):
                expected *= 1 - w[j, u]
            assert found.weights[s - blank, u] == pytest.approx(expected, rel=1e-9)


def test_stops_where_nothing_is_left() -> None:
    cell = made_cell(0)
    slices = sliced(made_run(cell, 400), 10)
    newest_first = iter(slices[::-1])
    found = attribute(newest_first, cell, 399, [0, 2])
    assert not found.reaches_start
    assert abs(found.rest).max() < 1e-7
    assert next(newest_first).end <= found.begin < 390
    # One step fewer would not have been enough.
    left = found.rest / (1 - slices[found.begin // 10].tensors["update"][found.begin % 10, [0, 2]])
    assert abs(left).max() >= 1e-7


def test_what_is_not_there_is_refused() -> None:
    cell = made_cell(0, index=3)
    slices = sliced(made_run(cell, 20), 5)[::-1]
    with pytest.raises(InvalidInput, match="layer 3 has units 0 to 2, not 3"):
        attribute(slices, cell, 9, [3])
    with pytest.raises(InvalidInput, match="step 20 was not recorded"):
        attribute(slices, cell, 20, [0])
    with pytest.raises(InvalidInput, match="step 9 was not recorded"):
        attribute([slices[1], slices[3]], cell, 14, [0], least=0)
    with pytest.raises(InvalidInput, match="there are no gates of step 2"):
        attribute([waiting(slices[-1], 4)], cell, 2, [0])
