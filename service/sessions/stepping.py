"""One group of steps: read the sessions, run the graphs, commit, answer.

A step is atomic: its new state replaces the one it was computed from, or nothing happens. When
another process changed a session in between, that session is read and computed again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from service.batcher.compute import Computed, Outcome, Row, compute
from service.bundle.manifest import Manifest
from service.engine.models import Models
from service.errors import SessionExpired, SessionNotFound, StepConflict
from service.stores.store import Session, Store

MAX_ATTEMPTS = 10
"""How often a step is computed anew after losing a race, before it answers StepConflict."""


@dataclass(frozen=True, slots=True)
class StepRequest:
    """One or more time steps for a session.

    `decode` turns what the caller sent into inputs [T, F] or [T] of the session's model, which
    is known only once the session has been read; it raises InvalidInput.
    """

    session_id: str
    decode: Callable[[Manifest], NDArray[Any]]
    gates: bool


@dataclass(frozen=True, slots=True)
class StepAnswer:
    """The session after the steps, and what the steps gave."""

    session: Session
    manifest: Manifest
    computed: Computed


StepOutcome = StepAnswer | Exception


def alive(session: Session | None, session_id: str, now: float) -> Session:
    """The session itself. Raises SessionNotFound, SessionExpired."""
    if session is None:
        raise SessionNotFound(session_id)
    if session.expires_at <= now:
        raise SessionExpired(session_id)
    return session


class Stepper:
    """Applies groups of steps to a store's sessions; a session is in a group at most once."""

    def __init__(self, models: Models, store: Store, clock: Callable[[], float]) -> None:
        self._models = models
        self._store = store
        self._clock = clock

    def run(self, requests: Sequence[StepRequest]) -> list[StepOutcome]:
        """Outcomes in the order of the requests. Raises StoreError, and then nothing changed."""
        outcomes = self._attempt(requests)
        for _ in range(MAX_ATTEMPTS - 1):
            lost = [index for index, outcome in enumerate(outcomes) if outcome is None]
            if not lost:
                break
            again = self._attempt([requests[index] for index in lost])
            for index, outcome in zip(lost, again, strict=True):
                outcomes[index] = outcome
        return [
            _conflict(request) if outcome is None else outcome
            for request, outcome in zip(requests, outcomes, strict=True)
        ]

    def _attempt(self, requests: Sequence[StepRequest]) -> list[StepOutcome | None]:
        """One read, one computation, one commit; None for a request that lost a race."""
        now = self._clock()
        stored = self._store.read([request.session_id for request in requests])
        prepared = [
            self._prepare(request, session, now)
            for request, session in zip(requests, stored, strict=True)
        ]
        rows = [entry for entry in prepared if not isinstance(entry, Exception)]
        computed = iter(compute([row for _, row in rows]))
        outcomes = [
            entry if isinstance(entry, Exception) else _answer(*entry, next(computed), now)
            for entry in prepared
        ]
        return self._commit(outcomes)

    def _prepare(
        self, request: StepRequest, session: Session | None, now: float
    ) -> tuple[Session, Row] | Exception:
        try:
            session = alive(session, request.session_id, now)
            engine = self._models.version(session.model, session.version)
            inputs = request.decode(engine.manifest)
        except Exception as error:  # this request's own fault; its neighbours go on
            return error
        return session, Row(engine, inputs, session.state, request.gates)

    def _commit(self, outcomes: Sequence[StepOutcome]) -> list[StepOutcome | None]:
        """Replace all sessions that have an answer; None in the place of one that lost a race."""
        answers = [outcome for outcome in outcomes if isinstance(outcome, StepAnswer)]
        won = iter(self._store.replace([answer.session for answer in answers]) if answers else ())
        return [
            outcome if isinstance(outcome, Exception) or next(won) else None for outcome in outcomes
        ]


def _answer(session: Session, row: Row, computed: Outcome, now: float) -> StepOutcome:
    if isinstance(computed, Exception):
        return computed
    advanced = replace(
        session,
        step=session.step + len(row.inputs),
        revision=session.revision + 1,
        state=computed.state,
        expires_at=now + session.ttl_seconds,
    )
    return StepAnswer(advanced, row.engine.manifest, computed)


def _conflict(request: StepRequest) -> StepConflict:
    return StepConflict(
        request.session_id,
        f"other writers changed session {request.session_id!r} {MAX_ATTEMPTS} times in a row; "
        "nothing was applied, try again",
    )
