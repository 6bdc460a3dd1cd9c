"""Gates that are set from outside: from what a person says to what `inspect.onnx` takes."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.bundle.manifest import Layer
from service.errors import Fault, InvalidInput
from service.records import record

Action = Literal["set", "scale"]


@record
class Intervention:
    """Puts something else in the place of a gate, for the steps from `begin` to before `end`.

    `units` are those of the layer, all lanes counted through; None is all of them. "set" puts
    `value` in the gate's place, "scale" multiplies the gate by it.
    """

    layer: int
    gate: str
    units: tuple[int, ...] | None
    begin: int
    end: int
    action: Action
    value: float


@record
class Interference:
    """`mask` and `value` of one gate, float32 [T, G] each: g′ = mask · value + (1 − mask) · g."""

    mask: NDArray[np.float32]
    value: NDArray[np.float32]


def check(
    interventions: Sequence[Intervention], layers: Sequence[Layer], begin: int, end: int
) -> None:
    """Raises InvalidInput for layers, gates, units and steps that a trace of the steps from `begin`
    to before `end` does not have, and for values that float32 does not hold."""
    faults = [
        fault.below(("interventions", index))
        for index, one in enumerate(interventions)
        for fault in _faults(one, layers, begin, end)
    ]
    if faults:
        raise InvalidInput(faults)


def apply(
    interventions: Sequence[Intervention], layers: Sequence[Layer], begin: int, end: int
) -> dict[str, Interference]:
    """What `inspect.onnx` is to be given for the steps from `begin` to before `end`, by gate; only
    the gates that are set at any of these steps.

    Setting is a mask of 1. Scaling by a factor needs the gate's own value, and has it: with a mask
    of 1 − factor and a value of 0 what is left is factor · g. Of two interventions with the same
    gate, unit and step the later one counts alone. `check` comes first.
    """
    shape = (max(0, end - begin), sum(layer.width for layer in layers))
    found: dict[str, Interference] = {}
    for one in interventions:
        first, last = max(one.begin, begin), min(one.end, end)
        if first >= last:
            continue
        if one.gate not in found:
            found[one.gate] = Interference(*(np.zeros(shape, np.float32) for _ in range(2)))
        layer = layers[one.layer]
        units = range(layer.width) if one.units is None else one.units
        cells = np.ix_(range(first - begin, last - begin), [layer.offset + unit for unit in units])
        is_set = one.action == "set"
        found[one.gate].mask[cells] = 1.0 if is_set else 1.0 - one.value
        found[one.gate].value[cells] = one.value if is_set else 0.0
    return found


def _faults(one: Intervention, layers: Sequence[Layer], begin: int, end: int) -> list[Fault]:
    faults = []
    if not begin <= one.begin < one.end <= end:
        message = (
            f"steps {one.begin} to before {one.end} are not a part of the trace's, "
            f"which are {begin} to before {end}"
        )
        faults.append(Fault(("from",), message))
    with np.errstate(over="ignore"):
        if not np.isfinite(np.float32(one.value)):
            faults.append(Fault(("value",), f"{one.value} is no number that float32 holds"))
    if not 0 <= one.layer < len(layers):
        faults.append(Fault(("layer",), f"there is no layer {one.layer}; {_known(layers)}"))
        return faults
    return faults + _faults_in(one, layers[one.layer])


def _faults_in(one: Intervention, layer: Layer) -> list[Fault]:
    faults = []
    if one.gate not in layer.gates:
        message = f"layer {one.layer} has no {one.gate}; it has {', '.join(layer.gates)}"
        faults.append(Fault(("gate",), message))
    if one.units is not None and not one.units:
        faults.append(Fault(("units",), "name at least one unit, or leave `units` out for all"))
    strange = [unit for unit in one.units or () if not 0 <= unit < layer.width]
    if strange:
        message = f"layer {one.layer} has units 0 to {layer.width - 1}, not {strange[0]}"
        faults.append(Fault(("units",), message))
    return faults


def _known(layers: Sequence[Layer]) -> str:
    if not layers:
        return "this model has none that can be looked into"
    return f"the last one is layer {len(layers) - 1}"
