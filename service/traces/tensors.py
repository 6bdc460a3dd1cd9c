"""The values of a layer through time: what the graph to inspect shows, and what follows from it."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from service.analysis.cell import Cell
from service.analysis.memory import MeanAge
from service.analysis.recorded import LAYER_INPUT, Recorded
from service.bundle.manifest import HIDDEN, Layer
from service.engine.inspection import TERMS
from service.errors import Fault, InvalidInput
from service.traces.run import Run, Slice

KEEP, AGE = "keep", "age"


def tensors_of(run: Run, layer: int) -> list[str]:
    """The names of what can be shown of a layer."""
    gates = run.layers[layer].gates
    names = [*gates, HIDDEN]
    if run.engine.inspection is not None:
        names += TERMS
    if "update" in gates:
        names.append(KEEP)
        if run.engine.inspection is not None and run.manifest.window is None:
            names.append(AGE)
    return names


def check_layer(run: Run, layer: int) -> Layer:
    """Raises InvalidInput where the model has no such layer."""
    if not 0 <= layer < len(run.layers):
        many = len(run.layers)
        raise InvalidInput.at(
            ("layer",), f"there is no layer {layer}; the model has {many}", "query"
        )
    return run.layers[layer]


def check_tensor(run: Run, layer: int, tensor: str) -> None:
    """Raises InvalidInput where the layer does not show such a tensor, and says which it shows."""
    shown = tensors_of(run, layer)
    if tensor not in shown:
        message = f"layer {layer} shows no {tensor!r}, but {', '.join(shown)}"
        raise InvalidInput([Fault(("tensor",), message, "query")])


def cell_of(run: Run, layer: int) -> Cell:
    """The weights of a layer. Raises InvalidInput where the model has no such layer, or was
    published without them."""
    described = check_layer(run, layer)
    if run.engine.inspection is None:
        raise InvalidInput.at(
            ("trace_id",),
            f"version {run.manifest.version} of model {run.manifest.name!r} was published without "
            "the weights of its cells, which this view needs; publish it again",
            "path",
        )
    return Cell.read(run.engine.cells, layer, described)


def recorded(run: Run, layer: int, one: Slice) -> Recorded:
    """A slice as the analysis of one layer takes it."""
    span = run.layers[layer].span
    tensors = {name: tensor[:, span] for name, tensor in one.looked.tensors.items()}
    if one.looked.layer_inputs:
        tensors[LAYER_INPUT] = one.looked.layer_inputs[layer]
    return Recorded(layer, tensors, one.begin, carried=run.manifest.window is None)


def recorded_slices(
    run: Run, layer: int, begin: int | None = None, end: int | None = None
) -> Iterator[Recorded]:
    """Those of a whole run, or of some of its steps."""
    for one in run.slices(begin, end):
        yield recorded(run, layer, one)


def values(
    run: Run, layer: int, tensor: str, begin: int, end: int
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """A tensor of a layer slice by slice: the first step, and the values [n, U].

    Ages are counted from the beginning of the trace.
    """
    ages = MeanAge(cell_of(run, layer)) if tensor == AGE else None
    for one in run.slices(run.begin if ages is not None else begin, end):
        found = recorded(run, layer, one)
        if ages is not None:
            shown = ages.add(found).astype(np.float32)
        elif tensor == KEEP:
            shown = 1 - found.tensors["update"]
        else:
            shown = found.tensors[tensor]
        skipped = max(0, begin - one.begin)
        if skipped < len(shown):
            yield one.begin + skipped, shown[skipped:]
