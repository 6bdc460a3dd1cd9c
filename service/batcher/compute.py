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
from collections.abc import Callable, Mapping, Sequence
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
    multiplications = sum(
        3 * layer.lanes * layer.hidden_size * (layer.hidden_size + width)
        for layer, width in zip(manifest.layers, [0, *sizes], strict=False)
    )
    steps = max(1, SLICE_MULTIPLICATIONS // max(1, multiplications))
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
    """outputs [T, O], the state [S] after the last step, gates [T, G] each where asked for."""

    outputs: NDArray[np.float32]
    state: NDArray[np.float32]
    gates: Gates | None


Outcome = Computed | Exception


@record
class Ran:
    """outputs [B, T, O], the states [B, S] after the last steps, gates [B, T, G] each where asked
    for. What is in the place of a row with an error means nothing."""

    outputs: NDArray[np.float32]
    states: NDArray[np.float32]
    gates: Gates | None
    errors: Mapping[int, Exception]


def compute(rows: Sequence[Row], pause: Pause = go_on) -> list[Outcome]:
    """Run all rows; an exception in a row's place concerns that row alone.

    Raises what `pause` raises.
    """
    outcomes: list[Outcome | None] = [None] * len(rows)
    for indexes in _compatible(rows):
        group = [rows[index] for index in indexes]
        for index, outcome in zip(indexes, _run_rows(group, pause), strict=True):
            outcomes[index] = outcome
    return [outcome for outcome in outcomes if outcome is not None]


def run(
    engine: Engine,
    inputs: NDArray[Any],
    states: NDArray[np.float32],
    *,
    gates: bool,
    places: Sequence[Place] | None = None,
    lengths: Sequence[int] | None = None,
    pause: Pause = go_on,
) -> Ran:
    """Run B rows together: inputs [B, T, F] or [B, T], states [B, S] before them.

    `lengths` are those of rows that are padded, `places` those of their inputs. An error concerns
    its row alone. Raises what `pause` raises.
    """
    request = _Run(engine, inputs, states, gates, places, lengths)
    try:
        return request.steps() if inputs.shape[1] == 1 else request.sequences(pause)
    except Stopped:
        raise
    except Exception as error:  # whatever ONNX Runtime raises belongs to a row
        if len(inputs) == 1:
            return request.failed(error)
        return request.one_by_one(pause)


def _compatible(rows: Sequence[Row]) -> list[list[int]]:
    """Indexes of rows that can share a run: same engine, lengths within a factor of two."""
    groups: defaultdict[object, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        # T = 1 must stay alone (it takes the step graph); (T - 1).bit_length() gives 0 to it only,
        # and bounds the padding of the others to less than half of a run.
        alike = id(row.engine), (len(row.inputs) - 1).bit_length(), row.gates, row.state.shape
        groups[index if row.alone else alike].append(index)
    return list(groups.values())


def _run_rows(group: Sequence[Row], pause: Pause) -> list[Outcome]:
    lengths = [len(row.inputs) for row in group]
    ran = run(
        group[0].engine,
        _padded(group, max(lengths)),
        np.stack([row.state for row in group]),
        gates=group[0].gates,
        places=[row.place for row in group],
        lengths=lengths,
        pause=pause,
    )
    return [
        ran.errors.get(index)
        # A view would keep the states of the whole batch in memory as long as this one.
        or Computed(
            ran.outputs[index, :length],
            ran.states[index].copy(),
            _of_row(ran.gates, index, length),
        )
        for index, length in enumerate(lengths)
    ]


def _padded(group: Sequence[Row], longest: int) -> NDArray[Any]:
    """[B, T, F] or [B, T], zeros behind the shorter ones."""
    first = group[0].inputs
    if len(group) == 1:
        return first[np.newaxis]
    inputs = np.zeros((len(group), longest, *first.shape[1:]), first.dtype)
    for index, row in enumerate(group):
        inputs[index, : len(row.inputs)] = row.inputs
    return inputs


def _of_row(gates: Gates | None, index: int, length: int) -> Gates | None:
    if gates is None:
        return None
    return gates.of_row((index, slice(length)))


@record
class _Run:
    """What `run` was asked for."""

    engine: Engine
    inputs: NDArray[Any]
    states: NDArray[np.float32]
    gates: bool
    places: Sequence[Place] | None
    lengths: Sequence[int] | None

    def steps(self) -> Ran:
        stepped = self.engine.step(self.inputs[:, 0], self.states, gates=self.gates)
        errors: dict[int, Exception] = {}
        if not _finite(stepped.output, stepped.state):
            for index in range(len(self.inputs)):
                one = slice(index, index + 1)
                before = self.states[one]
                self._check(errors, index, stepped.output[one], (before, stepped.state[one]))
        gates = stepped.gates and stepped.gates.of_row((slice(None), np.newaxis))
        return Ran(stepped.output[:, np.newaxis], stepped.state, gates, errors)

    def sequences(self, pause: Pause) -> Ran:
        batch, time = self.inputs.shape[:2]
        lengths = np.full(batch, time) if self.lengths is None else np.array(self.lengths)
        outputs = np.empty((batch, time, self.engine.manifest.output.width), np.float32)
        errors: dict[int, Exception] = {}
        states, last = self.states, np.empty_like(self.states)
        gates: list[Gates] = []
        steps = max(1, slice_steps(self.engine.manifest) // batch)
        for begin in range(0, time, steps):
            if begin:
                pause()
            part = self.inputs[:, begin : begin + steps]
            outputs[:, begin : begin + steps], history = self.engine.sequence(part, states)
            # The fused operator turns the NaN of an overflow into numbers; the step graph shows it.
            if not _finite(outputs[:, begin : begin + steps], history) or _is_large(part):
                self._replay(errors, part, states, history, lengths - begin)
            if self.gates:
                gates.append(self.engine.gates_of(part, states, history))
            ends = np.flatnonzero((begin < lengths) & (lengths <= begin + steps))
            last[ends] = history[ends, lengths[ends] - begin - 1]
            states = history[:, -1]
        return Ran(outputs, last, Gates.joined(gates, axis=1) if gates else None, errors)

    def failed(self, error: Exception) -> Ran:
        width = self.engine.manifest.output.width
        nothing = np.zeros((*self.inputs.shape[:2], width), np.float32)
        return Ran(nothing, self.states, None, dict.fromkeys(range(len(self.inputs)), error))

    def one_by_one(self, pause: Pause) -> Ran:
        """Each row alone, so that only the culprit fails."""
        ran = [
            run(
                self.engine,
                self.inputs[index : index + 1],
                self.states[index : index + 1],
                gates=self.gates,
                places=self.places and self.places[index : index + 1],
                lengths=self.lengths and self.lengths[index : index + 1],
                pause=pause,
            )
            for index in range(len(self.inputs))
        ]
        errors = {index: one.errors[0] for index, one in enumerate(ran) if one.errors}
        sound = next((one.gates for one in ran if one.gates), None)
        gates = sound and Gates.joined([one.gates or sound for one in ran], axis=0)
        return Ran(
            np.concatenate([one.outputs for one in ran]),
            np.concatenate([one.states for one in ran]),
            gates,
            errors,
        )

    def _replay(
        self,
        errors: dict[int, Exception],
        part: NDArray[Any],
        states: NDArray[np.float32],
        history: NDArray[np.float32],
        lengths: NDArray[np.int64],
    ) -> None:
        """Look for overflow in every row of a slice, as the step graph has it; `lengths` are what
        is left of the rows at its beginning."""
        begin = self.inputs.shape[1] - int(lengths.max())
        for index, left in enumerate(lengths.tolist()):
            if left > 0 and index not in errors:
                replayed = self.engine.replay(
                    part[index, :left], states[index], history[index, :left]
                )
                before = np.concatenate([states[index][np.newaxis], history[index, : left - 1]])
                self._check(errors, index, replayed.output, (before, replayed.state), begin)

    def _check(
        self,
        errors: dict[int, Exception],
        index: int,
        outputs: NDArray[np.float32],
        states: tuple[NDArray[np.float32], NDArray[np.float32]],
        begin: int = 0,
    ) -> None:
        """Note where outputs [T, O] or states [T, S] from time step `begin` on are not finite.

        Such a state would stay so for good, whatever came after. `states` are those before the
        steps, which say where no output is due yet, and those after them.
        """
        before, after = states
        manifest = self.engine.manifest
        sound = np.isfinite(outputs).all(axis=1)
        if manifest.steps_seen is not None:
            sound |= before[:, manifest.steps_seen] < manifest.ready_at - 1
        wrong = ~(sound & np.isfinite(after).all(axis=1))
        if wrong.any():
            place = self.places[index] if self.places else ("inputs",)
            errors[index] = InvalidInput.at(
                (*place, begin + int(np.argmax(wrong))),
                "the model's arithmetic leaves the range of float32 here; send values of the size "
                "that it was trained on",
            )


def _finite(*arrays: NDArray[np.float32]) -> bool:
    """False may also mean that a square overflows; asking each number takes four times as long."""
    return all(math.isfinite(np.vdot(array, array)) for array in arrays)


def _is_large(inputs: NDArray[Any]) -> bool:
    if inputs.dtype != np.float32:
        return False
    largest, least = inputs.max(), inputs.min()
    if math.isnan(largest):
        # Beside missing values, of which neither the largest nor the least number is any.
        return bool((np.abs(inputs) > LARGE_INPUT).any())
    return bool(largest > LARGE_INPUT or least < -LARGE_INPUT)
