"""One group of steps: read the sessions, run the graphs, commit, answer.

A step is atomic: its new state replaces the one it was computed from, or nothing happens. When
another process changed a session in between, that session is read and computed again. A retry of
a keyed request is answered from the receipt of its first try.

Short work runs at once. What would hold up the others of the group is deferred, computed on
another thread, and committed when it comes back.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import cast

from service.batcher.batcher import Deferred
from service.batcher.compute import Computed, Outcome, Row, Stopped, compute, slice_steps
from service.engine.engine import Engine
from service.errors import SessionContended, StoreError
from service.metrics.catalogue import COMPUTE_SECONDS
from service.operations.keys import Key
from service.operations.limits import Limits
from service.operations.requests import Step
from service.records import record
from service.repository.models import Models
from service.sessions.admission import admit, alive, answerable
from service.sessions.answers import (
    Answer,
    Result,
    ResultShape,
    count_answers,
    is_kept,
    kept_in,
    kept_result,
    shape_of_steps,
    state_before,
)
from service.sessions.changing import MAX_ATTEMPTS, advanced
from service.sessions.reader import Reader
from service.sessions.receipts import Kind, Receipt
from service.sessions.recent import Recent
from service.stores.store import Found, Replaced, Session, Store

StepOutcome = Answer | Exception | Deferred[Answer]
_ON_WORKER, _DEFERRED = COMPUTE_SECONDS.labels("worker"), COMPUTE_SECONDS.labels("deferred")


@record
class _Work:
    """A row to run for a session, which is a copy where it was not read for this. A keyed one has
    the digest of its meaning and the shape of its answer, and a receipt where it was applied before
    and only its answer, too large to keep, is wanted again."""

    session: Session
    row: Row
    is_copy: bool
    key: Key | None = None
    digest: bytes = b""
    shape: ResultShape | None = None
    receipt: Receipt | None = None


@record
class _Advance:
    """An answer that may leave once the session has been replaced, which had the revision
    `expected`."""

    session: Session
    expected: int
    answer: Answer


_Entry = _Work | StepOutcome


class Stepper:
    """Applies groups of steps to a store's sessions; a session is in a group at most once."""

    def __init__(
        self, models: Models, store: Store, reader: Reader, recent: Recent, limits: Limits
    ) -> None:
        self._models = models
        self._store = store
        self._reader = reader
        self._recent = recent
        self._limits = limits

    def run(self, requests: Sequence[Step]) -> list[StepOutcome]:
        """Outcomes in the order of the requests."""
        outcomes = self._attempt(requests)
        for _ in range(MAX_ATTEMPTS - 1):
            lost = [index for index, outcome in enumerate(outcomes) if outcome is None]
            if not lost:
                break
            again = self._attempt_again([requests[index] for index in lost])
            for index, outcome in zip(lost, again, strict=True):
                outcomes[index] = outcome
        return [
            SessionContended(request.session_id) if outcome is None else outcome
            for request, outcome in zip(requests, outcomes, strict=True)
        ]

    def _attempt(self, requests: Sequence[Step]) -> list[StepOutcome | None]:
        """One read, one computation, one commit; None for a request that lost a race."""
        now = self._store.now()
        entries = self._defer(requests, self._prepared(requests, now))
        rows = [entry.row for entry in entries if isinstance(entry, _Work)]
        with _ON_WORKER.time() if rows else nullcontext():
            computed = iter(compute(rows))
        return self._commit(
            [
                self._finished(entry, next(computed), now) if isinstance(entry, _Work) else entry
                for entry in entries
            ]
        )

    def _attempt_again(self, requests: Sequence[Step]) -> list[StepOutcome | None]:
        """Some of the group are committed by now: what fails here concerns the others alone."""
        try:
            return self._attempt(requests)
        except Exception as error:
            return [error] * len(requests)

    def _prepared(self, requests: Sequence[Step], now: float) -> list[_Entry]:
        """What to compute for each request, from the store where it is not known already."""
        known = self._recent.find(
            [request.identity for request in requests], others_wrote=self._store.others_wrote()
        )
        entries: list[_Entry | None] = [
            None if session is None else self._prepare(request, session, now, is_copy=True)
            for request, session in zip(requests, known, strict=True)
        ]
        unknown = [i for i, entry in enumerate(entries) if not _advances(entry)]
        if unknown:
            found = self._reader.read([requests[index].identity for index in unknown])
            for index, session in zip(unknown, found, strict=True):
                entries[index] = self._prepare(requests[index], session, now)
        return cast(list[_Entry], entries)

    def _prepare(
        self, request: Step, found: Found, now: float, *, is_copy: bool = False
    ) -> _Work | Answer | Exception:
        try:
            session, receipt = admit(found, request.session_id, request.conditions, now)
            version = session.version if receipt is None else receipt.version
            engine = self._models.version(session.model, version)
            return _prepared(
                request, session, receipt, engine, limits=self._limits, is_copy=is_copy
            )
        except Exception as error:  # this request's own fault; its neighbours go on
            return error

    def _defer(self, requests: Sequence[Step], entries: Sequence[_Entry]) -> list[_Entry]:
        """One slice of time steps in all runs at once, besides single ones; the rest later."""
        result, steps = list(entries), 0
        for index, entry in enumerate(entries):
            if not isinstance(entry, _Work) or len(entry.row.inputs) == 1:
                continue
            steps += len(entry.row.inputs)
            if steps > slice_steps(entry.row.engine.manifest):
                steps -= len(entry.row.inputs)
                result[index] = self._deferred(requests[index], entry)
        return result

    def _deferred(self, request: Step, work: _Work, attempts: int = 1) -> Deferred[Answer]:
        def run(wanted: Callable[[], bool]) -> Callable[[], StepOutcome]:
            def pause() -> None:
                if not wanted():
                    raise Stopped

            pause()
            with _DEFERRED.time():
                computed = compute([work.row], pause)[0]
            return partial(self._finish_deferred, request, work, computed, attempts)

        return Deferred(run)

    def _finish_deferred(
        self, request: Step, work: _Work, computed: Outcome, attempts: int
    ) -> StepOutcome:
        """Commit what was deferred; once more from the start where the session has moved."""
        now = self._store.now()
        (outcome,) = self._commit([self._finished(work, computed, now)])
        if outcome is not None:
            return outcome
        if attempts == MAX_ATTEMPTS:
            return SessionContended(request.session_id)
        (entry,) = self._prepared([request], now)
        return self._deferred(request, entry, attempts + 1) if isinstance(entry, _Work) else entry

    def _finished(
        self, work: _Work, computed: Outcome, now: float
    ) -> _Advance | StepOutcome | None:
        """None where it failed for what a session was before: then the store says what it is."""
        finished = _finish(work, computed, self._store, now)
        if isinstance(finished, Exception) and work.is_copy:
            self._recent.doubt(work.session.identity)
            return None
        return finished

    def _commit(
        self, outcomes: Sequence[_Advance | StepOutcome | None]
    ) -> list[StepOutcome | None]:
        """Replace all sessions that advance; None in the place of one that lost a race."""
        advances = [outcome for outcome in outcomes if isinstance(outcome, _Advance)]
        replaced = iter(self._replace(advances) if advances else ())
        committed = [
            _committed(outcome.answer, next(replaced)) if isinstance(outcome, _Advance) else outcome
            for outcome in outcomes
        ]
        count_answers(committed)
        return committed

    def _replace(self, advances: Sequence[_Advance]) -> Sequence[Replaced]:
        replaced = self._store.replace(
            [advance.session for advance in advances], [advance.expected for advance in advances]
        )
        for advance, outcome in zip(advances, replaced, strict=True):
            if outcome is True:
                self._recent.keep(advance.session)
            else:
                self._recent.doubt(advance.session.identity)
        return replaced


def _advances(entry: _Entry | None) -> bool:
    """Whether compare and set will tell if it was prepared from what a session was before.

    Refusals and answers of earlier tries end without it.
    """
    return isinstance(entry, _Work) and entry.receipt is None


def _prepared(
    request: Step,
    session: Session,
    receipt: Receipt | None,
    engine: Engine,
    *,
    limits: Limits,
    is_copy: bool,
) -> _Work | Answer:
    manifest, gates = engine.manifest, request.gates is not None
    inputs = request.read(manifest, limits)
    key = request.conditions.key
    if key is None:
        return _Work(session, Row(engine, inputs, session.state, gates), is_copy)
    digest = request.digest(inputs)
    shape = shape_of_steps(manifest, gates=gates)
    before = session.state
    if receipt is not None:
        receipt.check(digest)
        if answerable(receipt, session).kind is Kind.ANSWER:
            kept = kept_result(session, receipt, shape)
            return Answer.again(receipt, session.session_id, manifest, kept)
        before = state_before(session, receipt)
    row = Row(engine, inputs, before, gates, alone=not is_kept(shape, len(inputs)))
    return _Work(session, row, is_copy, key, digest, shape, receipt)


def _finish(work: _Work, computed: Outcome, store: Store, now: float) -> _Advance | StepOutcome:
    if isinstance(computed, Exception):
        return computed
    result = Result(computed.outputs, computed.gates)
    try:
        # What took longer than the session had to live does not bring it back.
        alive(work.session, work.session.session_id, now)
        return _applied(work, computed, result, store, now)
    except Exception as error:  # damaged receipts, say: this session's own fault
        return error


def _applied(
    work: _Work, computed: Computed, result: Result, store: Store, now: float
) -> _Advance | Answer:
    session, manifest = work.session, work.row.engine.manifest
    if work.receipt is not None:
        return Answer.again(work.receipt, session.session_id, manifest, result)
    kept = None
    if work.shape is not None:
        kept = kept_in(work.shape, result, session.state, work.digest)
    after = advanced(
        session,
        store,
        now,
        work.key,
        kept,
        step=session.step + len(work.row.inputs),
        state=computed.state,
    )
    return _Advance(after, session.revision, Answer.after(after, manifest, result))


def _committed(answer: Answer, replaced: Replaced) -> StepOutcome | None:
    if isinstance(replaced, StoreError):
        return replaced
    return answer if replaced else None
