"""What is kept of a trace, and what every store of traces must do.

A trace is a run of time steps of one model that can be looked into. It keeps the inputs and, now
and then, the state before them: gates are computed again when somebody asks.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from service.errors import TooManyTraces
from service.records import record
from service.stores.store import Identity

PIECE_BYTES = 64
"""Of a piece, besides its inputs and its state."""


@record
class Trace:
    """What is known of a trace. Times are seconds since the epoch, by the clock of the sessions.

    `session_id` is the session that it records, None where its inputs were given. Its pieces have
    at most `max_bytes`. `about` is JSON that a store does not read.
    """

    tenant: str
    trace_id: str
    session_id: str | None
    model: str
    version: int
    created_at: float
    expires_at: float
    max_bytes: int
    about: bytes = b"{}"

    @property
    def session(self) -> Identity | None:
        """The session that it records."""
        return None if self.session_id is None else Identity(self.tenant, self.session_id)


@record
class Piece:
    """The inputs of one change of a session: float32 [n, F] or int64 [n].

    `step` is how many time steps were consumed before them, `version` that of the model. `changes`
    is the session's count after the change, 0 where the store does not count; `before` and `after`
    are its revisions. Given inputs have no session: their changes are 0, and their revisions count
    from 0, so that each piece begins with the revision at which the one before it ended. `state`
    is float32 [S] before the first step, and not in every piece.
    """

    step: int
    version: int
    changes: int
    before: int
    after: int
    inputs: NDArray[Any]
    state: NDArray[np.float32] | None = None

    @property
    def size(self) -> int:
        """Bytes, as they count for `max_bytes`."""
        return PIECE_BYTES + self.inputs.nbytes + (0 if self.state is None else self.state.nbytes)


Addition = tuple[str, str, Piece]
"""A tenant, the id of one of its traces, and what comes behind its other pieces."""


class Traces(Protocol):
    """Traces by tenant and id. Methods raise StoreError, and may be called from any thread.

    The pieces of a trace stand in the order in which they came. When they have more than
    `max_bytes`, the oldest leave until they have not, and then all in front of the next one with a
    state: what is left can be computed from its first piece on.
    """

    def create(self, trace: Trace, pieces: Sequence[Piece], *, most: int) -> None:
        """Add a trace, in the place of one with its id, if there is one.

        Raises TooManyTraces where `most` others live when it is created.
        """

    def find(self, tenant: str, trace_id: str) -> Trace | None:
        """A trace, be it expired, or None."""

    def of_tenant(self, tenant: str, session_id: str | None = None) -> list[Trace]:
        """All of a tenant, or those that record one session, the earliest first; with expired
        ones."""

    def recorded(self) -> list[Trace]:
        """Those of all tenants that record a session, with expired ones."""

    def append(self, additions: Sequence[Addition]) -> None:
        """Add pieces at the ends of traces; those of traces that are not there are ignored."""

    def pieces(self, tenant: str, trace_id: str, *, after_changes: int = -1) -> list[Piece]:
        """The pieces with more changes than `after_changes`; none where there is no such trace."""

    def delete(self, tenant: str, trace_id: str) -> bool:
        """Forget a trace; False where there is none."""

    def purge(self, expired_before: float) -> int:
        """Forget those with `expires_at` below the given time; returns how many."""

    def close(self) -> None:
        """Release everything. Calls that follow raise StoreError."""


def contiguous(pieces: Sequence[Piece]) -> list[Piece]:
    """The latest run without a gap, from its first piece with a state on, in order of its steps.

    `pieces` are those of a trace as its store gives them. Processes that record one session may be
    overtaken by each other, so that the order is that of the revisions: the run is the one that the
    latest piece belongs to.
    """
    if not pieces:
        return []
    # Where a store has lost changes, two may begin with one revision: the later one counts.
    following = {piece.before: piece for piece in pieces}
    end = _last_of(following, pieces[-1])
    run = _run_to(end, {piece.after: piece for piece in pieces})
    first = next((index for index, one in enumerate(run) if one.state is not None), len(run))
    return run[first:]


def check_room(living: int, most: int) -> None:
    """Raises TooManyTraces where `most` traces live."""
    if living >= most:
        raise TooManyTraces(
            f"{living} traces live, at most {most} may; delete some, let them expire, or start "
            "the service with a larger --max-traces"
        )


def _last_of(following: Mapping[int, Piece], piece: Piece) -> Piece:
    """The end of the run that a piece belongs to."""
    passed = {piece.after}
    while (after := following.get(piece.after)) is not None and after.after not in passed:
        passed.add(after.after)
        piece = after
    return piece


def _run_to(end: Piece, leading: Mapping[int, Piece]) -> list[Piece]:
    """All that led to a piece without a gap, in order."""
    run, passed = [end], {end.after}
    while (before := leading.get(run[-1].before)) is not None and before.after not in passed:
        passed.add(before.after)
        run.append(before)
    return run[::-1]
