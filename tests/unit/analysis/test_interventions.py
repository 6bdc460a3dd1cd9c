"""What people say about gates, and what the graph is given: against one step after the other."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.analysis.interventions import Intervention, apply, check
from service.bundle.manifest import Layer
from service.errors import InvalidInput

LAYERS = (
    Layer(offset=0, hidden_size=2, lanes=2, reset="after"),
    Layer(offset=4, hidden_size=3, reset="after", gates=("update", "candidate")),
)
G = 7


USUAL = Intervention(layer=0, gate="update", units=None, begin=0, end=10, action="set", value=0.0)


@st.composite
def interventions(draw: st.DrawFn) -> Intervention:
    layer = draw(st.integers(0, 1))
    units = st.lists(st.integers(0, LAYERS[layer].width - 1), min_size=1).map(tuple)
    begin = draw(st.integers(20, 38))
    return Intervention(
        layer=layer,
        gate=draw(st.sampled_from(LAYERS[layer].gates)),
        units=draw(st.none() | units),
        begin=begin,
        end=draw(st.integers(begin + 1, 40)),
        action=draw(st.sampled_from(["set", "scale"])),
        value=draw(st.sampled_from([0.0, 0.25, 1.0, -1.5])),
    )


def wanted(said: list[Intervention], gate: str, step: int, column: int, own: float) -> float:
    """The gate of one unit at one step: the last thing that was said of it."""
    for one in reversed(said):
        layer = LAYERS[one.layer]
        is_of_layer = layer.offset <= column < layer.offset + layer.width
        is_meant = one.units is None or column - layer.offset in one.units
        if one.gate == gate and one.begin <= step < one.end and is_of_layer and is_meant:
            return one.value if one.action == "set" else one.value * own
    return own


@given(st.lists(interventions(), max_size=5), st.integers(20, 40), st.integers(0, 20))
def test_the_last_word_counts(said: list[Intervention], begin: int, steps: int) -> None:
    check(said, LAYERS, 20, 40)
    end = min(begin + steps, 40)
    found = apply(said, LAYERS, begin, end)
    own = np.random.default_rng(0).uniform(size=(end - begin, G))
    for gate in ("reset", "update", "candidate"):
        values = own
        if gate in found:
            mask, value = found[gate].mask, found[gate].value
            assert mask.dtype == value.dtype == np.float32
            values = mask * value + (1 - mask) * own
        expected = [
            [wanted(said, gate, begin + t, column, own[t, column]) for column in range(G)]
            for t in range(end - begin)
        ]
        np.testing.assert_allclose(values, np.reshape(expected, values.shape))


def test_only_gates_that_are_set_at_these_steps() -> None:
    said = [replace(USUAL, gate="reset", begin=5, end=7), replace(USUAL, begin=7, end=9)]
    assert set(apply(said, LAYERS, 0, 10)) == {"reset", "update"}
    assert set(apply(said, LAYERS, 7, 10)) == {"update"}
    assert apply(said, LAYERS, 9, 10) == {}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"layer": 2}, r"interventions.0.layer: there is no layer 2; the last one is layer 1"),
        ({"layer": -1}, r"interventions.0.layer: there is no layer -1"),
        (
            {"layer": 1, "gate": "reset"},
            "interventions.0.gate: layer 1 has no reset; it has update, candidate",
        ),
        ({"units": (3, 4)}, "interventions.0.units: layer 0 has units 0 to 3, not 4"),
        ({"units": (-1,)}, "interventions.0.units: layer 0 has units 0 to 3, not -1"),
        ({"units": ()}, "interventions.0.units: name at least one unit"),
        ({"begin": -1}, "interventions.0.from: steps -1 to before 10 are not a part"),
        ({"end": 11}, "which are 0 to before 10"),
        ({"begin": 4, "end": 4}, "steps 4 to before 4 are not a part"),
        ({"value": math.nan}, "interventions.0.value: nan is no number"),
        ({"value": 1e39}, "interventions.0.value"),
    ],
)
def test_what_does_not_exist_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        check([replace(USUAL, **fields)], LAYERS, 0, 10)


def test_all_faults_are_told() -> None:
    said = [USUAL, replace(USUAL, units=(9,), value=math.inf), replace(USUAL, layer=7)]
    with pytest.raises(InvalidInput) as caught:
        check(said, LAYERS, 0, 10)
    places = [fault.place[1:] for fault in caught.value.faults]
    assert places == [(1, "value"), (1, "units"), (2, "layer")]


def test_a_model_that_has_no_layers() -> None:
    with pytest.raises(InvalidInput, match="this model has none that can be looked into"):
        check([USUAL], (), 0, 10)
