"""Which gates an answer shows."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from service.bundle.manifest import HIDDEN, Layer
from service.errors import Fault, InvalidInput

GateName = Annotated[str, Field(min_length=1, max_length=64)]
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

    include: Annotated[list[GateName] | None, Once] = Field(
        default=None,
        min_length=1,
        description="Which gates to show, by the names that the model gives them, and `hidden`.",
        examples=[["update", "hidden"]],
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

    def normalised(self, names: Sequence[str]) -> tuple[object, ...]:
        """The same for two selections that mean the same to a model that can show `names`."""
        include = tuple(name for name in names if self.include is None or name in self.include)
        layers = None if self.layers is None else tuple(sorted(self.layers))
        units = None if self.units is None else tuple(sorted(self.units))
        return include, layers, units, self.steps, self.reduce


ALL_GATES = GateSelection()


def check_selection(selection: GateSelection, layers: tuple[Layer, ...]) -> None:
    """Raises InvalidInput for a gate, a layer or a unit that the model does not have."""
    wrong = (_wrong_names, _wrong_layers, _wrong_units)
    error = InvalidInput(chain.from_iterable(check(selection, layers) for check in wrong))
    if error.faults:
        raise error


def shown_by(selection: GateSelection, layer: Layer) -> list[str]:
    """What of a layer is shown, in its order."""
    names = [*layer.gates, HIDDEN]
    return (
        names if selection.include is None else [one for one in names if one in selection.include]
    )


def _wrong_names(selection: GateSelection, layers: tuple[Layer, ...]) -> Iterator[Fault]:
    known = list(dict.fromkeys(name for layer in layers for name in (*layer.gates, HIDDEN)))
    for index, name in enumerate(selection.include or ()):
        if name not in known:
            message = f"there is no gate {name!r}, the model has {', '.join(known)}"
            yield Fault(("gates", "include", index), message)


def _wrong_layers(selection: GateSelection, layers: tuple[Layer, ...]) -> Iterator[Fault]:
    for index, layer in enumerate(selection.layers or ()):
        if layer >= len(layers):
            message = f"there is no layer {layer}, the model has {len(layers)}"
            yield Fault(("gates", "layers", index), message)


def _wrong_units(selection: GateSelection, layers: tuple[Layer, ...]) -> Iterator[Fault]:
    for layer in range(len(layers)) if selection.layers is None else selection.layers:
        size = layers[layer].width if layer < len(layers) else 0
        for index, unit in enumerate(selection.units or ()):
            if 0 < size <= unit:
                message = f"layer {layer} has no unit {unit}, it has {size}"
                yield Fault(("gates", "units", index), message)
