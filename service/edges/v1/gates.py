"""Which gates an answer shows, and how they are written."""

from collections.abc import Iterator
from itertools import chain
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from service.bundle.manifest import Layer
from service.engine.engine import Gates
from service.errors import Fault, InvalidInput

GateName = Literal["reset", "update", "candidate", "hidden"]
ALL_GATES: tuple[GateName, ...] = ("reset", "update", "candidate", "hidden")
Index = Annotated[int, Field(ge=0, strict=True)]


def _once(chosen: list[Any] | None) -> list[Any] | None:
    if chosen is not None and len(set(chosen)) < len(chosen):
        raise ValueError("name each one once")
    return chosen


Once = AfterValidator(_once)
"""Repetition would make an answer as long as a caller likes."""


class GateSelection(BaseModel):
    """Which gates, layers, units and steps to show; everything where a field is left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    include: Annotated[list[GateName], Once] = Field(
        default=list(ALL_GATES), min_length=1, description="Which of the four to show."
    )
    layers: Annotated[list[Index] | None, Once] = Field(
        default=None, min_length=1, description="Layer numbers."
    )
    units: Annotated[list[Index] | None, Once] = Field(
        default=None, min_length=1, description="Unit numbers within each chosen layer."
    )
    steps: Literal["all", "last"] = Field(
        default="all", description="All time steps of the request, or only the last."
    )
    reduce: Literal["mean"] | None = Field(
        default=None, description="`mean` shows the mean over the chosen units of each layer."
    )


_SELECTION_SCHEMA = {
    "anyOf": [
        {"type": "boolean"},
        GateSelection.model_json_schema(),
        {"type": "null"},
    ],
    "default": False,
    "description": "`true` shows all gates of all layers, units and steps.",
}


def _from_flag(value: object) -> object:
    if value is True:
        return GateSelection()
    return None if value is False else value


OptionalGates = Annotated[
    GateSelection | None, BeforeValidator(_from_flag), WithJsonSchema(_SELECTION_SCHEMA)
]
"""The `gates` field of a request: a boolean or a selection."""


def check_selection(selection: GateSelection, layers: tuple[Layer, ...]) -> None:
    """Raises InvalidInput for a layer or a unit that the model does not have."""
    faults = chain(_wrong_layers(selection, layers), _wrong_units(selection, layers))
    error = InvalidInput(faults)
    if error.faults:
        raise error


def _wrong_layers(selection: GateSelection, layers: tuple[Layer, ...]) -> Iterator[Fault]:
    for index, layer in enumerate(selection.layers or ()):
        if layer >= len(layers):
            message = f"there is no layer {layer}, the model has {len(layers)}"
            yield Fault(("gates", "layers", index), message)


def _wrong_units(selection: GateSelection, layers: tuple[Layer, ...]) -> Iterator[Fault]:
    for layer in range(len(layers)) if selection.layers is None else selection.layers:
        size = layers[layer].hidden_size if layer < len(layers) else 0
        for index, unit in enumerate(selection.units or ()):
            if 0 < size <= unit:
                message = f"layer {layer} has no unit {unit}, it has {size}"
                yield Fault(("gates", "units", index), message)


def render_gates(
    gates: Gates, selection: GateSelection, layers: tuple[Layer, ...]
) -> dict[str, Any]:
    """The `gates` object of an answer; every tensor is [T, U], or [T] when reduced."""
    chosen = range(len(layers)) if selection.layers is None else selection.layers
    return {"layers": [_render_layer(gates, selection, layer, layers[layer]) for layer in chosen]}


def _render_layer(
    gates: Gates, selection: GateSelection, index: int, layer: Layer
) -> dict[str, Any]:
    units = list(range(layer.hidden_size)) if selection.units is None else selection.units
    rendered: dict[str, Any] = {"layer": index, "units": units}
    for name in selection.include:
        tensor: NDArray[np.float32] = getattr(gates, name)[:, layer.span]
        if selection.steps == "last":
            tensor = tensor[-1:]
        if selection.units is not None:
            tensor = tensor[:, selection.units]
        if selection.reduce == "mean":
            tensor = tensor.mean(axis=1)
        rendered[name] = np.ascontiguousarray(tensor)
    return rendered
