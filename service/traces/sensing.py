"""Which earlier inputs an output depends on, through everything that lies between.

Where the layers stand one on the other and nothing but them is carried from step to step, one
backward sweep over the recorded gates says it. Elsewhere each input is replaced, and the steps run
again.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from service.analysis.recorded import LAYER_INPUT, Recorded
from service.analysis.sensitivity import is_stack
from service.analysis.sensitivity import sensitivity as swept
from service.bundle.manifest import HIDDEN, Manifest
from service.engine.inspection import Inspection, SetGate
from service.errors import AskedTooMuch, InvalidInput
from service.operations.traces import Sensitivity
from service.records import record
from service.traces.asking import Working, step_of
from service.traces.run import Run, Slice
from service.traces.tensors import cell_of, recorded

MOST_STEPS = 2000
"""That a gradient is followed back."""
_NUDGED = 128
"""Units at once."""
MOST_REPLACED = 200
"""Inputs that are replaced one by one: each takes all steps behind it."""
_NUDGE = 0.05
"""Of a hidden state, which lies within ±1. An output of 1,000 has steps of 6e-5 in float32, which
would swallow a smaller one."""


@record
class Sensed:
    """Of one `output` after `step`, for the inputs of the n steps from `begin` to it.

    `influence` [n]: with `gradient` the first-order effect of what the first layer was given,
    beside what it was given on average, ∂output/∂x · (x − mean x), and `size` [n] is ‖∂output/∂x‖;
    by `perturbation` it is the output as it was, less what it is with the average input (of tokens
    the commonest one) in that place, and there is no size. `reaches_start` says that no step before
    `begin` counts.
    """

    step: int
    output: int
    value: float
    begin: int
    method: Literal["gradient", "perturbation"]
    influence: NDArray[np.float64]
    size: NDArray[np.float64] | None
    reaches_start: bool


def sensitivity(run: Run, asked: Sensitivity) -> Working[Sensed]:
    """Raises InvalidInput, AskedTooMuch."""
    step = step_of(run, asked.step)
    (last,) = run.slices(step, step + 1)
    outputs = last.looked.output[0]
    if np.isnan(outputs).any():
        raise InvalidInput.at(("step",), f"the model has no answer yet at step {step}", "query")
    output = int(outputs.argmax()) if asked.output is None else asked.output
    if asked.output is None and run.manifest.output.token_count == 0:
        output = 0
    if output >= len(outputs):
        raise InvalidInput.at(
            ("output",), f"the outputs are 0 to {len(outputs) - 1}, and no {output}", "query"
        )
    yield
    if _goes_through_layers_alone(run, last):
        return (yield from _by_gradient(run, last, output, asked.depth))
    return (yield from _by_perturbation(run, last, output, asked.depth))


def _goes_through_layers_alone(run: Run, last: Slice) -> bool:
    manifest = run.manifest
    if run.engine.inspection is None or manifest.window is not None:
        return False
    kinds = {segment.kind for segment in manifest.state}
    if "carried" in kinds or not manifest.hidden_in_state:
        return False
    return is_stack(_layers(run, last))


def _layers(run: Run, one: Slice) -> list[Recorded]:
    return [recorded(run, layer, one) for layer in range(len(run.layers))]


def _by_gradient(run: Run, last: Slice, output: int, depth: int) -> Working[Sensed]:
    if depth > MOST_STEPS:
        raise AskedTooMuch(
            f"a gradient is followed back {MOST_STEPS} steps at most; ask for a smaller `depth`"
        )
    inspection = run.engine.inspection
    assert inspection is not None
    gradients = _of_hidden(inspection, run.manifest, last, output)
    yield
    step = last.begin
    slices = (_layers(run, one) for one in run.backwards(step + 1))
    cells = [cell_of(run, layer) for layer in range(len(run.layers))]
    found = swept(slices, cells, step, gradients, depth=depth)
    found.inputs[-1] += _past_the_layers(inspection, run, last, output)
    given = np.concatenate(
        [recorded(run, 0, one).tensors[LAYER_INPUT] for one in run.slices(found.begin, step + 1)]
    ).astype(np.float64)
    return Sensed(
        step,
        output,
        float(last.looked.output[0, output]),
        found.begin,
        "gradient",
        (found.inputs * (given - given.mean(axis=0))).sum(axis=1),
        np.sqrt((found.inputs**2).sum(axis=1)),
        found.reaches_start,
    )


def _of_hidden(
    inspection: Inspection, manifest: Manifest, last: Slice, output: int
) -> list[NDArray[np.float64]]:
    """∂output/∂hidden of each layer [U] after a step, the layers above left as they are.

    By central differences: with every update set to 0 the hidden states are those of the state that
    is given, and the output is what follows from them.
    """
    hidden = last.looked.tensors[HIDDEN][0]
    slopes = np.concatenate(
        [
            _slopes(inspection, last, output, range(first, min(first + _NUDGED, len(hidden))))
            for first in range(0, len(hidden), _NUDGED)
        ]
    )
    return [slopes[layer.span] for layer in manifest.layers]


def _past_the_layers(
    inspection: Inspection, run: Run, last: Slice, output: int
) -> NDArray[np.float64]:
    """∂output/∂(what the first layer is given) [I] of this step, the hidden states left as they
    are: heads may add what they say to the input itself. Tokens are added to nothing.

    A row of inputs is nudged, and moves both the output and what the layer is given: the gradient
    is the shortest one that says the same.
    """
    width = recorded(run, 0, last).tensors[LAYER_INPUT].shape[1]
    if last.inputs.dtype.kind != "f":
        return np.zeros(width)
    known = np.where(np.isnan(run.inputs), 0, run.inputs).astype(np.float64)
    spread = known.std(axis=0)
    sizes = np.where(spread > 0, _NUDGE * spread, _NUDGE).astype(np.float32)
    columns = range(len(sizes))
    found = [
        _columns_nudged(inspection, last, output, sizes, columns[first : first + _NUDGED])
        for first in range(0, len(sizes), _NUDGED)
    ]
    slopes = np.concatenate([slope for slope, _ in found])
    moved = np.concatenate([given for _, given in found])
    return np.asarray(np.linalg.pinv(moved) @ slopes)


def _columns_nudged(
    inspection: Inspection,
    last: Slice,
    output: int,
    sizes: NDArray[np.float32],
    columns: Sequence[int],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """∂output/∂x [n] and ∂(what the first layer is given)/∂x [n, I] of some columns x of the input;
    0 of one that is missing."""
    count = len(columns)
    rows = np.repeat(last.inputs, 2 * count, axis=0)
    ahead, behind = np.arange(count), count + np.arange(count)
    rows[ahead, columns] += sizes[columns]
    rows[behind, columns] -= sizes[columns]
    states = _states_after(last, 2 * count)
    looked = inspection.look(rows, states, _nothing_written(last, 2 * count))
    apart = rows[ahead, columns].astype(np.float64) - rows[behind, columns]
    outputs = looked.output[:, output].astype(np.float64)
    given = looked.layer_inputs[0].astype(np.float64)
    slopes = (outputs[ahead] - outputs[behind]) / apart
    moved = (given[ahead] - given[behind]) / apart[:, np.newaxis]
    return np.nan_to_num(slopes), np.nan_to_num(moved)


def _states_after(last: Slice, count: int) -> NDArray[np.float32]:
    """The state [S] after a step, `count` times."""
    hidden = last.looked.tensors[HIDDEN][0]
    states = np.repeat(last.looked.state, count, axis=0)
    states[:, : len(hidden)] = hidden
    return states


def _nothing_written(last: Slice, count: int) -> dict[str, SetGate]:
    """Every update set to 0, so that the hidden states are those of the state that is given."""
    shape = (count, last.looked.tensors[HIDDEN].shape[1])
    return {"update": SetGate(np.ones(shape, np.float32), np.zeros(shape, np.float32))}


def _slopes(
    inspection: Inspection, last: Slice, output: int, units: Sequence[int]
) -> NDArray[np.float64]:
    """∂output/∂hidden of some units, by a nudge of each to both sides."""
    count = len(units)
    states = _states_after(last, 2 * count)
    ahead, behind = np.arange(count), count + np.arange(count)
    states[ahead, units] += np.float32(_NUDGE)
    states[behind, units] -= np.float32(_NUDGE)
    inputs = np.repeat(last.inputs, 2 * count, axis=0)
    looked = inspection.look(inputs, states, _nothing_written(last, 2 * count))
    found = looked.output[:, output].astype(np.float64)
    apart = states[ahead, units].astype(np.float64) - states[behind, units]
    return np.asarray((found[:count] - found[count:]) / apart)


def _by_perturbation(run: Run, last: Slice, output: int, depth: int) -> Working[Sensed]:
    if run.interventions:
        raise InvalidInput.at(
            ("trace_id",),
            "what an output depends on cannot be said of this model while gates are set: other "
            "operators stand between its layers; ask for it of the trace without interventions",
            "path",
        )
    if depth > MOST_REPLACED:
        raise AskedTooMuch(
            f"other operators stand between the layers of this model, so that inputs are replaced "
            f"one by one, {MOST_REPLACED} at most; ask for a smaller `depth`"
        )
    step, begin = last.begin, max(run.begin, last.begin + 1 - depth)
    inputs = run.inputs[begin - run.begin : step + 1 - run.begin]
    state = run.state_after(begin)
    changed = []
    for rows in _replaced(inputs, _usual(run.inputs)):
        states = np.repeat(state[np.newaxis], len(rows), axis=0)
        outputs, _ = run.engine.sequence(rows, states)
        changed.append(outputs[:, -1, output])
        yield
    value = float(last.looked.output[0, output])
    influence = value - np.concatenate(changed).astype(np.float64)
    reaches = begin == run.begin
    return Sensed(step, output, value, begin, "perturbation", influence, None, reaches)


def _usual(inputs: NDArray[Any]) -> NDArray[Any]:
    """The mean row of [T, F], or the commonest token of [T]."""
    if inputs.dtype.kind == "f":
        known = ~np.isnan(inputs)
        total = np.where(known, inputs, 0).sum(axis=0, dtype=np.float64)
        return np.asarray(total / np.maximum(known.sum(axis=0), 1), np.float32)
    tokens, counts = np.unique(inputs, return_counts=True)
    return np.asarray(tokens[counts.argmax()])


def _replaced(inputs: NDArray[Any], usual: NDArray[Any], batch: int = 16) -> Iterator[NDArray[Any]]:
    """Some at a time: the inputs [n, …] n times, with another one of them replaced in each."""
    for first in range(0, len(inputs), batch):
        rows = np.repeat(inputs[np.newaxis], min(batch, len(inputs) - first), axis=0)
        for row in range(len(rows)):
            rows[row, first + row] = usual
        yield rows
