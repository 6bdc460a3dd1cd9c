"""What a slice says of itself, and what it lacks."""

import numpy as np
import pytest

from service.analysis.attribution import attribute
from service.analysis.memory import MeanAge
from service.analysis.recorded import Recorded, require
from service.analysis.reset_usage import reset_impact
from service.analysis.unit_statistics import Statistics
from service.errors import InvalidInput
from tests.unit.analysis.layers import made_cell, made_run


def test_steps_and_what_is_before_a_step() -> None:
    recorded = made_run(made_cell(0), 5, begin=10)
    assert (recorded.steps, recorded.end) == (5, 15)
    cut = recorded.until(12)
    assert (cut.begin, cut.steps) == (10, 2)
    np.testing.assert_array_equal(cut.tensors["hidden"], recorded.tensors["hidden"][:2])
    assert recorded.until(10).steps == recorded.until(3).steps == 0


def test_calculates_in_float64() -> None:
    assert Recorded(0, {"hidden": np.ones((1, 1), np.float32)}).tensor("hidden").dtype == np.float64


def test_says_which_layer_lacks_which_gate() -> None:
    recorded = Recorded(2, {"hidden": np.ones((1, 3)), "forget": np.ones((1, 3))})
    with pytest.raises(InvalidInput, match="layer 2 has no update and no reset; it has hidden, f"):
        require(recorded, "hidden", "update", "reset")


def test_views_say_which_layer_lacks_which_gate() -> None:
    cell = made_cell(0, index=1)
    whole = made_run(cell, 3)
    for lacking in ("update_pre", "reset", "candidate_input"):
        with pytest.raises(InvalidInput, match=f"layer 1 has no {lacking}"):
            Statistics(cell).add(Recorded(1, _without(whole, lacking)))
    with pytest.raises(InvalidInput, match="layer 1 has no reset"):
        reset_impact(Recorded(1, _without(whole, "reset")), cell)


def test_a_window_hands_nothing_on() -> None:
    cell = made_cell(0, index=1)
    window = Recorded(1, made_run(cell, 3).tensors, carried=False)
    with pytest.raises(InvalidInput, match="layer 1 runs over its window anew"):
        attribute([window], cell, 2, [0])
    with pytest.raises(InvalidInput, match="layer 1 runs over its window anew"):
        MeanAge(cell).add(window)


def _without(recorded: Recorded, name: str) -> dict[str, np.ndarray]:
    return {one: values for one, values in recorded.tensors.items() if one != name}
