"""A trace made ready to be looked into: its steps are computed again, slice by slice.

A trace keeps inputs, and a state now and then. All else follows from these, so it is computed when
somebody asks, and what was computed last is kept. A slice begins at a multiple of its length,
counted in the session's own steps: whoever looks at a session that goes on computes the last slice
anew, and no other.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.analysis.interventions import Intervention, apply
from service.bundle.manifest import HIDDEN, Layer, Manifest
from service.engine.engine import Engine
from service.engine.inspection import Looked, SetGate
from service.stores.traces.traces import Trace
from service.traces.kept import Kept
from service.traces.pieces import Steps

LONGEST_SLICE = 1024
_SLICE_UNITS = 2**18
"""Of one tensor: 1 MiB, of which a dozen are held at once."""


def slice_length(manifest: Manifest) -> int:
    """Time steps of one slice, a power of two."""
    most = max(16, _SLICE_UNITS // max(1, manifest.gate_size))
    return int(min(LONGEST_SLICE, 1 << (most.bit_length() - 1)))


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """Some steps of a run, from `begin` on: inputs [n, F] or [n], and what they did; every tensor
    of `looked` is [n, …]."""

    begin: int
    inputs: NDArray[Any]
    looked: Looked

    @property
    def end(self) -> int:
        return self.begin + len(self.inputs)

    @property
    def size(self) -> int:
        """Bytes of everything that was computed."""
        looked = self.looked
        arrays = (looked.output, looked.state, *looked.tensors.values(), *looked.layer_inputs)
        return sum(array.nbytes for array in arrays)

    def only(self, begin: int, end: int) -> "Slice":
        """The part of it between two steps."""
        if begin <= self.begin and end >= self.end:
            return self
        rows = slice(max(begin, self.begin) - self.begin, min(end, self.end) - self.begin)
        looked = Looked(
            self.looked.output[rows],
            self.looked.state[rows],
            {name: tensor[rows] for name, tensor in self.looked.tensors.items()},
            tuple(given[rows] for given in self.looked.layer_inputs),
        )
        return Slice(max(begin, self.begin), self.inputs[rows], looked)


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """The steps of a trace from `begin` to `end`, as they can be computed again.

    `inputs` [T, F] or [T]; `states` [S] by the step that they come before, the first step's among
    them; `revisions` [T] says what the session was after each step, and tells steps apart that have
    the same number.
    """

    trace: Trace
    engine: Engine
    begin: int
    inputs: NDArray[Any]
    states: Mapping[int, NDArray[np.float32]]
    revisions: NDArray[np.int64]
    interventions: Sequence[Intervention]
    kept: Kept
    _length: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_length", slice_length(self.engine.manifest))

    @property
    def end(self) -> int:
        return self.begin + len(self.inputs)

    @property
    def key(self) -> tuple[object, ...]:
        """Of what was computed of all its steps."""
        return self._key(self.begin, self.end)

    @property
    def manifest(self) -> Manifest:
        return self.engine.manifest

    @property
    def layers(self) -> tuple[Layer, ...]:
        return self.manifest.layers

    def slices(self, begin: int | None = None, end: int | None = None) -> Iterator[Slice]:
        """All steps from `begin` to `end`, in their order."""
        for first in self._firsts(begin, end):
            yield self._slice(first).only(self._from(begin), self._to(end))

    def backwards(self, end: int) -> Iterator[Slice]:
        """As `slices`, the last one first, from `end` back to the beginning."""
        for first in reversed(self._firsts(None, end)):
            yield self._slice(first).only(self.begin, end)

    def state_after(self, step: int) -> NDArray[np.float32]:
        """The state [S] after so many steps of the session; `begin` gives the first one."""
        if step in self.states:
            return self.states[step]
        (last,) = self.slices(step - 1, step)
        state: NDArray[np.float32] = last.looked.state[-1]
        return state

    def _from(self, begin: int | None) -> int:
        return self.begin if begin is None else begin

    def _to(self, end: int | None) -> int:
        return self.end if end is None else end

    def _firsts(self, begin: int | None, end: int | None) -> list[int]:
        """Where the slices begin that have these steps."""
        begin, end = self._from(begin), self._to(end)
        if begin >= end:
            return []
        aligned = begin - begin % self._length
        return [max(self.begin, first) for first in range(aligned, end, self._length)]

    def _slice(self, first: int) -> Slice:
        last = min(first - first % self._length + self._length, self.end)
        key = self._key(first, last)
        found = self.kept.slices.find(key)
        if found is None:
            found = self._compute(self._state_before(first), first, last)
            self.kept.slices.keep(key, found, found.size)
            self._keep_state(last, found.looked.state[-1].copy())
        return found

    def _key(self, first: int, last: int) -> tuple[object, ...]:
        """What was computed from the same state and inputs has the same key, and nothing else:
        a revision never comes twice."""
        revision = int(self.revisions[last - self.begin - 1])
        return (self.trace.tenant, self.trace.trace_id, first, last, revision)

    def _state_before(self, step: int) -> NDArray[np.float32]:
        """[S], from the nearest one that is known."""
        at = step
        while (state := self._known_state(at)) is None:
            at = max(self.begin, at - 1 - (at - 1) % self._length)
        while at < step:
            last = min(at - at % self._length + self._length, step)
            state = self._compute_states(state, at, last)
            self._keep_state(last, state)
            at = last
        return state

    def _known_state(self, step: int) -> NDArray[np.float32] | None:
        state = self.states.get(step)
        if state is None and step > self.begin:
            state = self.kept.states.find(self._key(step, step))
        return state

    def _keep_state(self, step: int, state: NDArray[np.float32]) -> None:
        self.kept.states.keep(self._key(step, step), state, state.nbytes)

    def _compute_states(
        self, state: NDArray[np.float32], first: int, last: int
    ) -> NDArray[np.float32]:
        """The state [S] before `last`, from that before `first`."""
        if self._is_touched(first, last):
            touched: NDArray[np.float32] = self._compute(state, first, last).looked.state[-1]
            return touched.copy()
        inputs = self._inputs(first, last)
        _, states = self.engine.sequence(inputs[np.newaxis], state[np.newaxis])
        after: NDArray[np.float32] = states[0, -1].copy()
        return after

    def _compute(self, state: NDArray[np.float32], first: int, last: int) -> Slice:
        if self._is_touched(first, last):
            return self._compute_touched(state, first, last)
        inputs = self._inputs(first, last)
        _, states = self.engine.sequence(inputs[np.newaxis], state[np.newaxis])
        before = np.concatenate([state[np.newaxis], states[0, :-1]])
        looked = self._look(inputs, before, None)
        tensors = dict(looked.tensors)
        if self.manifest.hidden_in_state:
            # The very state that the next step begins with, to the last bit.
            tensors[HIDDEN] = states[0, :, : self.manifest.gate_size]
        return Slice(first, inputs, replace(looked, state=states[0], tensors=tensors))

    def _compute_touched(self, state: NDArray[np.float32], first: int, last: int) -> Slice:
        """Step by step: a gate that is set changes what comes after it."""
        inputs = self._inputs(first, last)
        looked: list[Looked] = []
        gates = apply(self.interventions, self.layers, first, last)
        for index in range(last - first):
            at = slice(index, index + 1)
            chosen = {name: SetGate(one.mask[at], one.value[at]) for name, one in gates.items()}
            one = self._look(inputs[at], state[np.newaxis], chosen)
            looked.append(one)
            state = one.state[0]
        joined = _joined(looked)
        masks = {f"{name}_mask": one.mask for name, one in gates.items()}
        return Slice(first, inputs, replace(joined, tensors={**joined.tensors, **masks}))

    def _look(
        self,
        inputs: NDArray[Any],
        states: NDArray[np.float32],
        gates: Mapping[str, SetGate] | None,
    ) -> Looked:
        inspection = self.engine.inspection
        if inspection is not None:
            return inspection.look(inputs, states, gates)
        # A version that was published without the graph to inspect shows its gates alone.
        steps = self.engine.step(inputs, states, gates=True)
        assert steps.gates is not None
        tensors = dict(zip(steps.gates.names, steps.gates.tensors, strict=True))
        if self.manifest.hidden_in_state:
            tensors["before"] = states[:, : self.manifest.gate_size]
        return Looked(steps.output, steps.state, tensors, ())

    def _inputs(self, first: int, last: int) -> NDArray[Any]:
        found: NDArray[Any] = self.inputs[first - self.begin : last - self.begin]
        return found

    def _is_touched(self, first: int, last: int) -> bool:
        return any(one.begin < last and one.end > first for one in self.interventions)


def run_of(
    trace: Trace,
    steps: Steps,
    engine: Engine,
    interventions: Sequence[Intervention],
    kept: Kept,
) -> Run:
    """The steps of a trace, ready to be computed."""
    stretches = steps.stretches
    return Run(
        trace,
        engine,
        stretches[0].step,
        np.concatenate([one.inputs for one in stretches]),
        {one.step: one.state for one in stretches},
        np.concatenate([one.revisions for one in stretches]),
        interventions,
        kept,
    )


def _joined(looked: Sequence[Looked]) -> Looked:
    return Looked(
        np.concatenate([one.output for one in looked]),
        np.concatenate([one.state for one in looked]),
        {name: np.concatenate([one.tensors[name] for one in looked]) for name in looked[0].tensors},
        tuple(map(np.concatenate, zip(*(one.layer_inputs for one in looked), strict=True))),
    )
