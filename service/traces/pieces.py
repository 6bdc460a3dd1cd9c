"""The steps of a trace as this process knows them; what has come since is read from the store."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.stores.traces.traces import Piece, Trace, Traces, contiguous
from service.traces.kept import Recent

MOST_STEPS = 100_000
"""Of one trace: what lies before the last ones is not shown."""


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Steps without a gap, from a state [S] on: inputs [n, F] or [n], and the revisions [n] of the
    session after each. `size` is what they take in the store. `is_first` where the trace begins
    with it."""

    step: int
    is_first: bool
    state: NDArray[np.float32]
    inputs: NDArray[Any]
    revisions: NDArray[np.int64]
    size: int

    def with_more(self, pieces: Sequence[Piece]) -> "Stretch":
        """And pieces that follow, none of which has a state."""
        if not pieces:
            return self
        return replace(
            self,
            inputs=np.concatenate([self.inputs, *(piece.inputs for piece in pieces)]),
            revisions=np.concatenate([self.revisions, *map(_revisions, pieces)]),
            size=self.size + sum(piece.size for piece in pieces),
        )

    @property
    def bytes(self) -> int:
        """In memory."""
        return self.state.nbytes + self.inputs.nbytes + self.revisions.nbytes


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """All steps of a trace without a gap; `last` is the latest piece."""

    stretches: tuple[Stretch, ...]
    last: Piece

    @property
    def version(self) -> int:
        return self.last.version

    @property
    def size(self) -> int:
        """Bytes in the store."""
        return sum(one.size for one in self.stretches)

    @property
    def bytes(self) -> int:
        """Bytes in memory."""
        return sum(one.bytes for one in self.stretches)

    def with_more(self, pieces: Sequence[Piece]) -> "Steps":
        """And pieces that follow without a gap."""
        starts = [index for index, piece in enumerate(pieces) if piece.state is not None]
        bounds = [*starts, len(pieces)]
        followed = self.stretches[-1].with_more(pieces[: bounds[0]])
        more = (_stretch(pieces[a:b]) for a, b in pairwise(bounds))
        return Steps((*self.stretches[:-1], followed, *more), pieces[-1])

    def within(self, most_bytes: int) -> "Steps":
        """The latest of them, as a store keeps them, and at most MOST_STEPS."""
        ends = zip(
            accumulate(one.size for one in reversed(self.stretches)),
            accumulate(len(one.inputs) for one in reversed(self.stretches)),
            strict=True,
        )
        fit = sum(size <= most_bytes and steps <= MOST_STEPS for size, steps in ends)
        return replace(self, stretches=self.stretches[-max(1, fit) :])


class Pieces:
    """Reads the pieces of traces, those that this process has not read yet. Any thread may."""

    def __init__(self, store: Traces, most_bytes: int) -> None:
        self._store = store
        self._known: Recent[Steps] = Recent(most_bytes)

    def of(self, trace: Trace) -> Steps | None:
        """All steps that the trace has now; None where it has none. Raises StoreError."""
        key = trace.tenant, trace.trace_id
        known = self._known.find(key)
        steps = None if known is None else self._followed(trace, known)
        if steps is None:
            # Where the latest piece has overtaken another, what was known goes on to be shown.
            steps = _begun(contiguous(self._store.pieces(*key))) or known
        if steps is None:
            return None
        steps = steps.within(trace.max_bytes)
        self._known.keep(key, steps, steps.bytes)
        return steps

    def forget(self, trace: Trace) -> None:
        self._known.drop((trace.tenant, trace.trace_id))

    def _followed(self, trace: Trace, steps: Steps) -> Steps | None:
        """With what has come since; None where that does not follow, and all is to be read."""
        last = steps.last
        if trace.session_id is None:
            return steps
        found = self._store.pieces(trace.tenant, trace.trace_id, after_changes=last.changes)
        if not found:
            return steps
        # The state of the first is known: it is that after all before it.
        begun = replace(last, state=steps.stretches[-1].state)
        more = contiguous([begun, *found])
        if not more or more[0] is not begun or len(more) != len(found) + 1:
            return None
        return steps.with_more(more[1:])


def _begun(pieces: Sequence[Piece]) -> Steps | None:
    if not pieces:
        return None
    first = Steps((_stretch(pieces[:1]),), pieces[0])
    return first.with_more(pieces[1:]) if len(pieces) > 1 else first


def _stretch(pieces: Sequence[Piece]) -> Stretch:
    """Of pieces of which the first has a state, and no other."""
    first = pieces[0]
    assert first.state is not None
    begun = Stretch(
        first.step, first.before == 0, first.state, first.inputs, _revisions(first), first.size
    )
    return begun.with_more(pieces[1:])


def _revisions(piece: Piece) -> NDArray[np.int64]:
    return np.full(len(piece.inputs), piece.after, np.int64)
