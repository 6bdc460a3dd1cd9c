"""Running many rows in as few ONNX Runtime runs as possible.

A row is one sequence on its way through one engine, from a given state. Rows of one time step
share a run of the step graph; longer ones share runs of the sequence graph, padded at the end to
a common length, which changes nothing before the padding because a GRU only looks back.

Long sequences run in slices, so that somebody else can have the thread in between. How long a
slice is depends on the model and the number of rows alone: the same rows give the same bits
wherever and whenever they are computed.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.bundle.manifest import Manifest
from service.engine.engine import Engine, Gates
from service.errors import InvalidInput, Place
from service.records import record

LARGE_INPUT = 1e15
"""Beyond this, products with weights and scales may overflow float32, so that it is looked for."""

SLICE_MULTIPLICATIONS = 10_000_000
"""About a millisecond of one core."""
MIN_SLICE_STEPS = 8
MAX_SLICE_STEPS = 1024

Pause = Callable[[], None]
"""Called between two slices; what it raises ends the computation."""


def slice_steps(manifest: Manifest) -> int:
    """How many time steps of one sequence make a slice: a power of two."""
    sizes = [layer.hidden_size for layer in manifest.layers]
    inputs = [0, *sizes]
    multiplications = sum(
        3 * size * (size + width) for size, width in zip(sizes, inputs, strict=False)
    )
    steps = max(1, SLICE_MULTIPLICATIONS // multiplications)
    return min(max(1 << steps.bit_length() - 1, MIN_SLICE_STEPS), MAX_SLICE_STEPS)


class Stopped(Exception):
    """Nobody wants the result any more; raised by a pause."""


def go_on() -> None:
    """The pause where nobody waits."""


@record
class Row:
    """inputs [T, F] float32 or [T] int64, and the state [S] before the first of them.

    `place` is where the inputs are in the caller's request. A row that is `alone` shares
    no run with others, so that computing it again gives the same bits.
    """

    engine: Engine
    inputs: NDArray[Any]
    state: NDArray[np.float32]
    gates: bool
    place: Place = ("inputs",)
    alone: bool = False


@record
class Computed:
    """outputs [T, O], the state [S] after the last step, gates [T, S] each where asked for."""

    outputs: NDArray[np.float32]
    state: NDArray[np.float32]
    gates: Gates | None


Outcome = Computed | Exception


def compute(rows: Sequence[Row], pause: Pause = go_on) -> list[Outcome]:
    """Run all rows; an exception in a row's place concerns that row alone.

    Raises what `pause` raises.
    """
    if len(rows) == 1:
        return _run_isolated(rows, pause)
    outcomes: list[Outcome | None] = [None] * len(rows)
    for indices in _compatible(rows):
        group = [rows[index] for index in indices]
        for index, outcome in zip(indices, _run_isolated(group, pause), strict=True):
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


def _run_isolated(group: Sequence[Row], pause: Pause) -> list[Outcome]:
    """Run a group; when that fails, run each row alone, so that only the culprit fails."""
    try:
        return _run(group, pause)
    except Stopped:
        raise
    except Exception as error:  # whatever ONNX Runtime raises belongs to a row
        if len(group) == 1:
            return [error]
        return [outcome for row in group for outcome in _run_isolated([row], pause)]


def _run(group: Sequence[Row], pause: Pause) -> list[Outcome]:
    if all(len(row.inputs) == 1 for row in group):
        return _run_steps(group)
    return _run_sequences(group, pause)


def _run_steps(group: Sequence[Row]) -> list[Outcome]:
    if len(group) == 1:
        inputs, gates = group[0].inputs, group[0].gates
    else:
        inputs = np.concatenate([row.inputs for row in group])
        gates = any(row.gates for row in group)
    steps = group[0].engine.step(inputs, _stacked_states(group), gates=gates)
    finite = _finite(steps.output, steps.state)
    outcomes: list[Outcome] = []
    for index, row in enumerate(group):
        one = slice(index, index + 1)
        overflow = None if finite else _overflow(row, steps.output[one], steps.state[one])
        recorded = _row_of(steps.gates, one) if row.gates and steps.gates else None
        # A view would keep the states of the whole batch in memory as long as this one.
        state = steps.state[index].copy()
        outcomes.append(overflow or Computed(steps.output[one], state, recorded))
    return outcomes


def _stacked_states(group: Sequence[Row]) -> NDArray[np.float32]:
    """[B, S]; several times as fast as np.stack."""
    if len(group) == 1:
        return group[0].state[np.newaxis]
    return np.concatenate([row.state for row in group]).reshape(len(group), -1)


def _row_of(gates: Gates, one: slice) -> Gates:
    return Gates(gates.reset[one], gates.update[one], gates.candidate[one], gates.hidden[one])


def _run_sequences(group: Sequence[Row], pause: Pause) -> list[Outcome]:
    engine = group[0].engine
    inputs = _padded(group)
    begun = [_Begun(row, engine.manifest.output.width) for row in group]
    states = _stacked_states(group)
    steps = max(1, slice_steps(engine.manifest) // len(group))
    for begin in range(0, inputs.shape[1], steps):
        if begin:
            pause()
        part = inputs[:, begin : begin + steps]
        outputs, history = engine.sequence(part, states)
        # The fused operator turns the NaN of an overflow into numbers; the step graph shows it.
        suspicious = not _finite(outputs, history) or _is_large(part)
        for one, output, after in zip(begun, outputs, history, strict=True):
            one.go_on(begin, output, after, suspicious)
        states = history[:, -1]
    return [one.outcome() for one in begun]


def _padded(group: Sequence[Row]) -> NDArray[Any]:
    """[B, T, F] or [B, T], zeros behind the shorter ones."""
    first = group[0].inputs
    if len(group) == 1:
        return first[np.newaxis]
    longest = max(len(row.inputs) for row in group)
    inputs = np.zeros((len(group), longest, *first.shape[1:]), first.dtype)
    for index, row in enumerate(group):
        inputs[index, : len(row.inputs)] = row.inputs
    return inputs


class _Begun:
    """A row of a sequence run, as far as it has come."""

    def __init__(self, row: Row, output_width: int) -> None:
        self._row = row
        self._state = row.state
        self._outputs = np.empty((len(row.inputs), output_width), np.float32)
        self._gates: list[Gates] = []
        self._error: InvalidInput | None = None

    def go_on(
        self,
        begin: int,
        outputs: NDArray[np.float32],
        states: NDArray[np.float32],
        suspicious: bool,
    ) -> None:
        """Take in a slice that starts at time step `begin`: outputs [T, O], states [T, S]."""
        row, left = self._row, len(self._row.inputs) - begin
        if left <= 0 or self._error is not None:
            return
        outputs, states = outputs[:left], states[:left]
        inputs = row.inputs[begin : begin + len(states)]
        if suspicious:
            replayed = row.engine.replay(inputs, self._state, states)
            self._error = _overflow(row, replayed.output, replayed.state, begin)
        if row.gates:
            self._gates.append(row.engine.gates_of(inputs, self._state, states))
        self._outputs[begin : begin + len(outputs)] = outputs
        self._state = states[-1].copy()

    def outcome(self) -> Outcome:
        gates = joined(self._gates) if self._row.gates else None
        return self._error or Computed(self._outputs, self._state, gates)


def joined(parts: Sequence[Gates]) -> Gates:
    """The gates of slices that follow one another, [T, S] each."""
    if len(parts) == 1:
        return parts[0]
    return Gates(
        np.concatenate([part.reset for part in parts]),
        np.concatenate([part.update for part in parts]),
        np.concatenate([part.candidate for part in parts]),
        np.concatenate([part.hidden for part in parts]),
    )


def _finite(*arrays: NDArray[np.float32]) -> bool:
    """False may also mean that a square overflows; asking each number takes four times as long."""
    return all(math.isfinite(np.vdot(array, array)) for array in arrays)


def _is_large(inputs: NDArray[Any]) -> bool:
    return inputs.dtype == np.float32 and bool(np.abs(inputs).max() > LARGE_INPUT)


def _overflow(
    row: Row, outputs: NDArray[np.float32], states: NDArray[np.float32], begin: int = 0
) -> InvalidInput | None:
    """What is wrong with a row of which outputs [T, O] or states [T, S] are not finite.

    They are those from time step `begin` on.

    Such a state would stay so for good, whatever came after.
    """
    wrong = ~(np.isfinite(outputs).all(axis=1) & np.isfinite(states).all(axis=1))
    if not wrong.any():
        return None
    return InvalidInput.at(
        (*row.place, begin + int(np.argmax(wrong))),
        "the model's arithmetic leaves the range of float32 here; send values of the size that "
        "it was trained on",
    )
