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


@dataclass(frozen=True, slots=True)
class Row:
    """inputs [T, F] float32 or [T] int64, and the state [S] before the first of them."""

    engine: Engine
    inputs: NDArray[Any]
    state: NDArray[np.float32]
    gates: bool


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
    for index, row in enumerate(rows):
        # T = 1 must stay alone (it takes the step graph); (T - 1).bit_length() gives 0 to it only,
        # and bounds the padding of the others to less than half of a run.
        groups[id(row.engine), (len(row.inputs) - 1).bit_length()].append(index)
    return list(groups.values())


def _run_isolated(group: Sequence[Row]) -> list[Outcome]:
    """Run a group; when that fails, run each row alone, so that only the culprit fails."""
    try:
        return list(_run(group))
    except Exception as error:  # whatever ONNX Runtime raises belongs to a row
        if len(group) == 1:
            return [error]
        return [outcome for row in group for outcome in _run_isolated([row])]


def _run(group: Sequence[Row]) -> list[Computed]:
    if all(len(row.inputs) == 1 for row in group):
        return _run_steps(group)
    return _run_sequences(group)


def _run_steps(group: Sequence[Row]) -> list[Computed]:
    inputs = np.concatenate([row.inputs for row in group])
    state = _stacked_states(group)
    steps = group[0].engine.step(inputs, state, gates=any(row.gates for row in group))
    return [
        Computed(
            outputs=steps.output[index : index + 1],
            # A view would keep the states of the whole batch in memory as long as this one.
            state=steps.state[index].copy(),
            gates=_row_of(steps.gates, index) if row.gates and steps.gates else None,
        )
        for index, row in enumerate(group)
    ]


def _stacked_states(group: Sequence[Row]) -> NDArray[np.float32]:
    """[B, S]; several times as fast as np.stack, which matters for a group of one."""
    return np.concatenate([row.state for row in group]).reshape(len(group), -1)


def _row_of(gates: Gates, index: int) -> Gates:
    one = slice(index, index + 1)
    return Gates(gates.reset[one], gates.update[one], gates.candidate[one], gates.hidden[one])


def _run_sequences(group: Sequence[Row]) -> list[Computed]:
    engine = group[0].engine
    longest = max(len(row.inputs) for row in group)
    inputs = np.zeros((len(group), longest, *group[0].inputs.shape[1:]), group[0].inputs.dtype)
    for index, row in enumerate(group):
        inputs[index, : len(row.inputs)] = row.inputs
    outputs, states = engine.sequence(inputs, _stacked_states(group))
    return [
        _finish(row, outputs[index, : len(row.inputs)], states[index, : len(row.inputs)])
        for index, row in enumerate(group)
    ]


def _finish(row: Row, outputs: NDArray[np.float32], states: NDArray[np.float32]) -> Computed:
    gates = row.engine.gates_of(row.inputs, row.state, states) if row.gates else None
    return Computed(outputs, states[-1].copy(), gates)
