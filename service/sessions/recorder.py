"""Keeps the inputs of sessions that somebody looks into, as their steps are committed.

Any process may have begun to record a session: which ones are recorded is asked of the store of
traces, twice a second. What was appended can be computed again; what could not be appended is a
gap, which the revisions of the pieces around it show. No step ever fails for it.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from service.errors import MustWait, StoreError
from service.metrics.catalogue import TRACE_STEPS_LOST
from service.records import record
from service.sessions.batch import Batch
from service.stores.columns import Columns
from service.stores.store import Identity, Session
from service.stores.traces.traces import Piece, Trace, Traces

log = structlog.get_logger()

STEPS_BETWEEN_STATES = 256
"""How many steps may have to be computed before one that is looked at."""
_PARTS = 8
"""A trace that drops its oldest steps drops about such a part of it at once."""
_SECONDS_BETWEEN_WARNINGS = 60.0


@record
class TraceBounds:
    """What traces may take: how many live in the store, and what each has where nobody says."""

    most: int = 64
    max_bytes: int = 16 * 1024 * 1024
    ttl_seconds: float = 3600.0


@dataclass(slots=True, eq=False)
class _Recording:
    """A trace, and what this process has recorded of it."""

    trace: Trace
    after: int = 0
    """The revision behind the latest piece."""
    stated_at: int | None = None
    """The step of the latest piece with a state; None where the next one must have one."""
    since: int = 0
    """Bytes since then."""

    def piece(
        self,
        before: tuple[int, int],
        after: tuple[int, int],
        version: int,
        inputs: NDArray[Any],
        state: NDArray[np.float32],
    ) -> Piece:
        """Of one change: `before` is the session's step and revision, `after` its changes and
        revision."""
        (step, revision), (changes, next_revision) = before, after
        stated = self._needs_state(step, revision, inputs.nbytes, state.nbytes)
        # Copies: a view would keep what all sessions of a batch were given.
        piece = Piece(
            step,
            version,
            changes,
            revision,
            next_revision,
            inputs.copy(),
            state.copy() if stated else None,
        )
        self.after = next_revision
        if stated:
            self.stated_at, self.since = step, 0
        self.since += piece.size
        return piece

    def _needs_state(self, step: int, revision: int, size: int, state_size: int) -> bool:
        if self.stated_at is None:
            return True
        if not 0 <= step - self.stated_at < STEPS_BETWEEN_STATES:
            return True
        if (self.since + size) * _PARTS > self.trace.max_bytes:
            return True
        # Others have changed the session, and perhaps its state. States take at most half.
        return revision != self.after and self.since >= state_size


@record
class _Addition:
    recording: _Recording
    piece: Piece


class Recorder:
    """Appends the steps of recorded sessions to their traces."""

    def __init__(
        self,
        traces: Traces,
        now: Callable[[], float],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`now` is the clock by which traces expire."""
        self.sessions: Mapping[Identity, tuple[_Recording, ...]] = {}
        """What is recorded; empty where nothing is. Replaced as a whole."""
        self._traces = traces
        self._now = now
        self._monotonic = monotonic
        self._listing = Lock()
        self._lock = Lock()
        self._late: list[_Addition] = []
        self._warn_at = float("-inf")

    def refresh(self) -> None:
        """Ask the store what is recorded; where it fails, what was known goes on. Not for an event
        loop."""
        with self._listing:
            try:
                recorded = self._traces.recorded()
            except StoreError as error:
                self._warn("traces_not_read", error)
                recorded = self._traces_known()
            self._know(recorded)
        self._append([])

    def begin(self, trace: Trace, pieces: Sequence[Piece] = (), *, most: int) -> None:
        """Create a trace, and record its session from now on. Raises StoreError, TooManyTraces."""
        with self._listing:
            self._traces.create(trace, pieces, most=most)
            self._know([*self._traces_known(), trace])

    def end(self, tenant: str, trace_id: str) -> bool:
        """Delete a trace; False where there was none. Raises StoreError."""
        with self._listing:
            deleted = self._traces.delete(tenant, trace_id)
            name = tenant, trace_id
            self._know([one for one in self._traces_known() if (one.tenant, one.trace_id) != name])
        return deleted

    def records(self, identities: Iterable[Identity]) -> bool:
        """Whether any of these sessions is recorded."""
        return not self.sessions.keys().isdisjoint(identities)

    def settled(self, settled: Iterable[tuple[Batch, Columns]]) -> None:
        """Steps that were committed: batches that have won, and their sessions after them."""
        self._append([one for pair in settled for one in self._of_batch(*pair)])

    def rolled(
        self, before: Session, after: Session, inputs: NDArray[Any], state: NDArray[np.float32]
    ) -> None:
        """A rollout that was committed: `inputs` [n, F] or [n] are what was consumed, `state` [S]
        is that before them."""
        self._append(
            [
                _Addition(
                    recording,
                    recording.piece(
                        (before.step, before.revision),
                        (after.changes, after.revision),
                        before.version,
                        inputs,
                        state,
                    ),
                )
                for recording in self.sessions.get(before.identity, ())
                if recording.trace.model == before.model
            ]
        )

    def interrupted(self, identity: Identity) -> None:
        """The session has got another state, or another version: what follows begins anew."""
        for recording in self.sessions.get(identity, ()):
            recording.stated_at = None

    def close(self) -> None:
        """Append what had to wait, and close the traces."""
        self._append([])
        self._traces.close()

    def _of_batch(self, batch: Batch, moved: Columns) -> Iterator[_Addition]:
        sessions = self.sessions
        if sessions.keys().isdisjoint(moved.identities):
            return
        before, size = batch.sessions, batch.engine.manifest.state_size
        for index, identity in enumerate(moved.identities):
            for recording in sessions.get(identity, ()):
                if recording.trace.model != moved.model:
                    continue
                piece = recording.piece(
                    (before.steps[index], before.revisions[index]),
                    (moved.changes[index], moved.revisions[index]),
                    before.version,
                    batch.inputs[index],
                    before.states[index, :size],
                )
                yield _Addition(recording, piece)

    def _append(self, additions: list[_Addition]) -> None:
        with self._lock:
            late, self._late = self._late, []
        additions = late + additions
        if not additions:
            return
        try:
            self._traces.append(
                [
                    (one.recording.trace.tenant, one.recording.trace.trace_id, one.piece)
                    for one in additions
                ]
            )
        except MustWait:
            with self._lock:
                self._late = additions + self._late
        except Exception as error:  # whatever it is, the steps have been applied
            self._lost(additions, error)

    def _lost(self, additions: Iterable[_Addition], error: Exception) -> None:
        for one in additions:
            TRACE_STEPS_LOST.inc(len(one.piece.inputs))
            one.recording.stated_at = None
        self._warn("trace_steps_lost", error)

    def _warn(self, event: str, error: Exception) -> None:
        """Once a minute: a store that fails does so at every step."""
        if self._monotonic() < self._warn_at:
            return
        self._warn_at = self._monotonic() + _SECONDS_BETWEEN_WARNINGS
        log.warning(event, detail=str(error), exc_info=not isinstance(error, StoreError))

    def _recordings(self) -> list[_Recording]:
        return [one for some in self.sessions.values() for one in some]

    def _traces_known(self) -> list[Trace]:
        return [one.trace for one in self._recordings()]

    def _know(self, recorded: Iterable[Trace]) -> None:
        """Record these, but for those that have expired; what was recorded of them is known."""
        known = {_name(one.trace): one for one in self._recordings()}
        sessions: dict[Identity, tuple[_Recording, ...]] = {}
        now = self._now()
        for trace in recorded:
            if trace.session is not None and trace.expires_at > now:
                recording = known.get(_name(trace)) or _Recording(trace)
                sessions[trace.session] = (*sessions.get(trace.session, ()), recording)
        self.sessions = sessions


def _name(trace: Trace) -> tuple[str, str, float]:
    """What two recordings under one id differ in."""
    return trace.tenant, trace.trace_id, trace.created_at
