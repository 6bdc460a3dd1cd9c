"""Choosing gates, layers, units and steps, and writing what was chosen."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import TypeAdapter

from service.bundle.manifest import Layer
from service.edges.http.problems import json_path
from service.edges.v1.gates import OptionalGates, render_gates
from service.engine.engine import Gates
from service.errors import InvalidInput
from service.operations.gates import GateSelection, check_selection

LAYERS = (
    Layer(offset=0, hidden_size=2, reset="before"),
    Layer(offset=2, hidden_size=3, reset="after"),
)
NAMES = ("reset", "update", "candidate", "hidden")
TIME = 4
NUMBERS = np.arange(TIME * 5, dtype=np.float32).reshape(TIME, 5)
GATES = Gates(NAMES, tuple(NUMBERS + 100 * i for i in range(4)))


def rendered(**selection: object) -> list[dict[str, Any]]:
    chosen = GateSelection.model_validate(selection)
    layers: list[dict[str, Any]] = render_gates(GATES, chosen, LAYERS)["layers"]
    return layers


def equal(found: NDArray[np.float32], expected: NDArray[np.float32]) -> bool:
    return found.flags["C_CONTIGUOUS"] and np.array_equal(found, expected)


def test_everything() -> None:
    first, second = rendered()
    assert (first["layer"], first["units"]) == (0, [0, 1])
    assert (second["layer"], second["units"]) == (1, [0, 1, 2])
    for name in NAMES:
        tensor = GATES[name]
        assert equal(first[name], tensor[:, :2])
        assert equal(second[name], tensor[:, 2:])


def test_some_gates() -> None:
    (first, _) = rendered(include=["update", "hidden"])
    assert list(first) == ["layer", "units", "update", "hidden"]


def test_some_layers_in_the_order_asked_for() -> None:
    assert [one["layer"] for one in rendered(layers=[1, 0])] == [1, 0]


def test_units_count_within_their_layer() -> None:
    (layer,) = rendered(layers=[1], units=[2, 0])
    assert layer["units"] == [2, 0]
    assert equal(layer["reset"], GATES["reset"][:, [4, 2]])


def test_the_last_step() -> None:
    (first, _) = rendered(steps="last")
    assert equal(first["candidate"], GATES["candidate"][-1:, :2])


def test_means_over_units() -> None:
    (first, second) = rendered(reduce="mean")
    assert equal(first["update"], GATES["update"][:, :2].mean(axis=1))
    assert second["update"].shape == (TIME,)


def test_everything_at_once() -> None:
    (layer,) = rendered(include=["hidden"], layers=[1], units=[1, 2], steps="last", reduce="mean")
    assert equal(layer["hidden"], GATES["hidden"][-1:, 3:].mean(axis=1))


def test_a_layer_shows_the_gates_that_it_has() -> None:
    """A cell of another kind beside a GRU, with names of its own."""
    other = Layer(offset=2, hidden_size=3, reset="before", gates=("forget", "update"))
    names = ("reset", "update", "candidate", "forget", "hidden")
    gates = Gates(names, tuple(NUMBERS + 100 * i for i in range(5)))
    first, second = render_gates(gates, GateSelection(), (LAYERS[0], other))["layers"]
    assert list(first) == ["layer", "units", *NAMES]
    assert list(second) == ["layer", "units", "forget", "update", "hidden"]
    assert equal(second["forget"], NUMBERS[:, 2:] + 300)


def test_units_of_all_lanes_count_on() -> None:
    lanes = (Layer(offset=0, hidden_size=1, lanes=5, reset="before"),)
    (layer,) = render_gates(GATES, GateSelection(units=[4]), lanes)["layers"]
    assert equal(layer["reset"], GATES["reset"][:, [4]])


@pytest.mark.parametrize(
    ("selection", "paths"),
    [
        ({"include": ["update", "keep"]}, ["$.gates.include[1]"]),
        ({"layers": [0, 2]}, ["$.gates.layers[1]"]),
        ({"layers": [7, 2]}, ["$.gates.layers[0]", "$.gates.layers[1]"]),
        ({"units": [0, 2]}, ["$.gates.units[1]"]),
        ({"layers": [1], "units": [2]}, []),
        ({"layers": [1], "units": [3]}, ["$.gates.units[0]"]),
        ({"layers": [1], "units": [2**70]}, ["$.gates.units[0]"]),
        ({}, []),
    ],
)
def test_layers_and_units_that_there_are_not(
    selection: dict[str, list[object]], paths: list[str]
) -> None:
    try:
        check_selection(GateSelection.model_validate(selection), LAYERS)
    except InvalidInput as error:
        assert [json_path(fault) for fault in error.faults] == paths
    else:
        assert not paths


@pytest.mark.parametrize(
    ("sent", "expected"),
    [(True, GateSelection()), (False, None), (None, None), ({}, GateSelection())],
)
def test_a_flag_or_a_selection(sent: object, expected: GateSelection | None) -> None:
    adapter: TypeAdapter[GateSelection | None] = TypeAdapter(OptionalGates)
    assert adapter.validate_python(sent) == expected
