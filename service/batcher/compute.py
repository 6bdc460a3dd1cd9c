"""Running many rows in as few ONNX Runtime runs as possible.

A row is one sequence on its way through one engine, from a given state. Rows of one time step
share a run of the step graph; longer ones share runs of the sequence graph, padded at the end to
a common length, which changes nothing before the padding because a GRU only looks back.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.engine import Engine, Gates
from service.errors import InvalidInput

LARGE_INPUT = 1e15
"""Beyond this, products with weights and scales may overflow float32, so that it is looked for."""


@dataclass(frozen=True, slots=True)
class Row:
    """inputs [T, F] float32 or [T] int64, and the state [S] before the first of them.

    `path` is the JSON path of the inputs in the caller's request. A row that is `alone` shares
    no run with others, so that computing it again gives the same bits.
    """

    engine: Engine
    inputs: NDArray[Any]
    state: NDArray[np.float32]
    gates: bool
    path: str = "$.inputs"
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Computed:
    """outputs [T, O], the state [S] after the last step, gates [T, S] each where asked for."""

    outputs: NDArray[np.float32]
    state: NDArray[np.float32]
    gates: Gates | None


Outcome = Computed | Exception


def compute(rows: Sequence[Row]) -> list[Outcome]:
    """Run all rows; an exception in a row's place concerns that row alone."""
    outcomes: list[Outcome | None] = [None] * len(rows)
    for indices in _compatible(rows):
        group = [rows[index] for index in indices]
        for index, outcome in zip(indices, _run_isolated(group), strict=True):
            outcomes[index] = outcome
    return [outcome for outcome in outcomes if outcome is not None]


def _compatible(rows: Sequence[Row]) -> list[list[int]]:
    """Indices of rows that can share a run: same engine, lengths within a factor of two."""
    groups: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    solitary = [[index] for index, row in enumerate(rows) if row.alone]
    for index, row in enumerate(rows):
        if row.alone:
            continue
        # T = 1 must stay alone (it takes the step graph); (T - 1).bit_length() gives 0 to it only,
        # and bounds the padding of the others to less than half of a run.
        groups[id(row.engine), (len(row.inputs) - 1).bit_length()].append(index)
    return solitary + list(groups.values())


def _run_isolated(group: Sequence[Row]) -> list[Outcome]:
    """Run a group; when that fails, run each row alone, so that only the culprit fails."""
    try:
        return _run(group)
    except Exception as error:  # whatever ONNX Runtime raises belongs to a row
        if len(group) == 1:
            return [error]
        return [outcome for row in group for outcome in _run_isolated([row])]


def _run(group: Sequence[Row]) -> list[Outcome]:
    if all(len(row.inputs) == 1 for row in group):
        return _run_steps(group)
    return _run_sequences(group)


def _run_steps(group: Sequence[Row]) -> list[Outcome]:
    inputs = np.concatenate([row.inputs for row in group])
    steps = group[0].engine.step(
        inputs, _stacked_states(group), gates=any(row.gates for row in group)
    )
    finite = _finite(steps.output, steps.state)
    outcomes: list[Outcome] = []
    for index, row in enumerate(group):
        one = slice(index, index + 1)
        overflow = None if finite else _overflow(row, steps.output[one], steps.state[one])
        gates = _row_of(steps.gates, one) if row.gates and steps.gates else None
        # A view would keep the states of the whole batch in memory as long as this one.
        outcomes.append(overflow or Computed(steps.output[one], steps.state[index].copy(), gates))
    return outcomes


def _stacked_states(group: Sequence[Row]) -> NDArray[np.float32]:
    """[B, S]; several times as fast as np.stack, which matters for a group of one."""
    return np.concatenate([row.state for row in group]).reshape(len(group), -1)


def _row_of(gates: Gates, one: slice) -> Gates:
    return Gates(gates.reset[one], gates.update[one], gates.candidate[one], gates.hidden[one])


def _run_sequences(group: Sequence[Row]) -> list[Outcome]:
    engine = group[0].engine
    longest = max(len(row.inputs) for row in group)
    inputs = np.zeros((len(group), longest, *group[0].inputs.shape[1:]), group[0].inputs.dtype)
    for index, row in enumerate(group):
        inputs[index, : len(row.inputs)] = row.inputs
    outputs, states = engine.sequence(inputs, _stacked_states(group))
    # The fused operator turns the NaN of an overflow into numbers; the step graph shows it.
    suspicious = not _finite(outputs, states) or _is_large(inputs)
    outcomes: list[Outcome] = []
    for index, row in enumerate(group):
        output, history = outputs[index, : len(row.inputs)], states[index, : len(row.inputs)]
        if suspicious:
            replayed = engine.replay(row.inputs, row.state, history)
            if (overflow := _overflow(row, replayed.output, replayed.state)) is not None:
                outcomes.append(overflow)
                continue
        gates = engine.gates_of(row.inputs, row.state, history) if row.gates else None
        outcomes.append(Computed(output, history[-1].copy(), gates))
    return outcomes


def _finite(*arrays: NDArray[np.float32]) -> bool:
    return all(bool(np.isfinite(array).all()) for array in arrays)


def _is_large(inputs: NDArray[Any]) -> bool:
    return inputs.dtype == np.float32 and bool(np.abs(inputs).max() > LARGE_INPUT)


def _overflow(
    row: Row, outputs: NDArray[np.float32], states: NDArray[np.float32]
) -> InvalidInput | None:
    """What is wrong with a row whose outputs [T, O] or states [T, S] are not finite.

    Such a state would stay so for good, whatever came after.
    """
    wrong = ~(np.isfinite(outputs).all(axis=1) & np.isfinite(states).all(axis=1))
    if not wrong.any():
        return None
    return InvalidInput.at(
        f"{row.path}[{int(np.argmax(wrong))}]",
        "the model's arithmetic leaves the range of float32 here; send values of the size that "
        "it was trained on",
    )
