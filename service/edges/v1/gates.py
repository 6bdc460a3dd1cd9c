"""The `gates` of a request and of an answer."""

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, WithJsonSchema

from service.bundle.manifest import Layer
from service.engine.engine import Gates
from service.operations.gates import ALL_GATES, GateSelection, shown_by

_SELECTION_SCHEMA = {
    "anyOf": [{"type": "boolean"}, GateSelection.model_json_schema(), {"type": "null"}],
    "default": False,
    "description": "`true` shows all gates of all layers, units and steps.",
}


def _from_flag(value: object) -> object:
    if value is True:
        return ALL_GATES
    return None if value is False else value


OptionalGates = Annotated[
    GateSelection | None, BeforeValidator(_from_flag), WithJsonSchema(_SELECTION_SCHEMA)
]
"""The `gates` field of a request: a boolean or a selection."""


def render_gates(
    gates: Gates, selection: GateSelection, layers: tuple[Layer, ...]
) -> dict[str, Any]:
    """The `gates` object of an answer; every tensor is [T, U], or [T] when reduced."""
    chosen = range(len(layers)) if selection.layers is None else selection.layers
    return {"layers": [_render_layer(gates, selection, layer, layers[layer]) for layer in chosen]}


def _render_layer(
    gates: Gates, selection: GateSelection, index: int, layer: Layer
) -> dict[str, Any]:
    units = list(range(layer.width)) if selection.units is None else selection.units
    rendered: dict[str, Any] = {"layer": index, "units": units}
    for name in shown_by(selection, layer):
        tensor: NDArray[np.float32] = gates[name][:, layer.span]
        if selection.steps == "last":
            tensor = tensor[-1:]
        if selection.units is not None:
            tensor = tensor[:, selection.units]
        if selection.reduce == "mean":
            tensor = tensor.mean(axis=1)
        rendered[name] = np.ascontiguousarray(tensor)
    return rendered
