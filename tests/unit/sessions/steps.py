"""Steps as requests, and stores on which they meet rivals and failures."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from service.batcher.batcher import Deferred, Part
from service.errors import StoreError
from service.operations.conditions import conditions_of
from service.operations.gates import ALL_GATES
from service.operations.inputs import JsonRows
from service.operations.keys import Key
from service.operations.limits import Limits
from service.operations.requests import Steps
from service.repository.models import Models
from service.sessions.answers import Answer, Answered
from service.sessions.reader import Reader
from service.sessions.recent import Recent
from service.sessions.recorder import Recorder
from service.sessions.stepping import StepOutcome, Stepper
from service.stores.memory import MemoryStore
from service.stores.store import Replaced, Session
from service.stores.traces.memory import MemoryTraces
from service.stores.traces.traces import Traces
from tests.contract.sessions import found_in, moved, session
from tests.manual_clocks import ManualClocks

ROW = [20.0, 1000.0, 0.5]
NOW = 1_800_000_000.0
RECENT_BYTES = 1_000_000
LIMITS = Limits(10**9)


class ManualStore(MemoryStore):
    """A real store, whose clock shows NOW until a test moves it."""

    def __init__(self) -> None:
        self.clocks = ManualClocks(NOW)
        super().__init__(self.clocks.clocks)


class RacedStore(ManualStore):
    """A real store, and a writer that is faster whenever a group is about to be committed."""

    def __init__(self, rival: Callable[[MemoryStore], object], times: int) -> None:
        super().__init__()
        self._rival = rival
        self.left = times

    def replace(self, sessions: Sequence[Session], expected: Sequence[int]) -> list[Replaced]:
        if self.left:
            self.left -= 1
            self._rival(self)
        return super().replace(sessions, expected)


class FailingStore(ManualStore):
    """A real store whose commits fail."""

    def replace(self, sessions: Sequence[Session], expected: Sequence[int]) -> list[Replaced]:
        return [
            StoreError(f"cannot write {one.session_id}")
            for one, _ in zip(sessions, expected, strict=True)
        ]


def weather(session_id: str, **fields: object) -> Session:
    state = np.linspace(-0.5, 0.5, 6, dtype=np.float32)
    times = {"created_at": NOW - 5, "expires_at": NOW + 10, "ttl_seconds": 60.0}
    return session(session_id, **({"version": 1, "state": state} | times | fields))


def holding(*sessions: Session) -> ManualStore:
    """A store that has these."""
    store = ManualStore()
    for one in sessions:
        store.create(one)
    return store


def request(
    session_id: str,
    rows: list[Any] | None = None,
    *,
    gates: bool = False,
    key: Key | None = None,
    at: int | None = None,
    if_match: frozenset[str] | None = None,
) -> Steps:
    return Steps.of(
        session_id,
        JsonRows([ROW] if rows is None else rows),
        ALL_GATES if gates else None,
        conditions_of(key, at, if_match),
    )


def rival_step(store: MemoryStore, session_id: str) -> Session:
    """Another process applies a step of its own; what it leaves."""
    before = found_in(store, session_id)
    after = moved(before, step=before.step + 100)
    assert MemoryStore.replace(store, [after], [before.revision]) == [True]
    return after


def made_anew(store: MemoryStore, session: Session) -> None:
    """Another process removes what has this id, and begins another session under it."""
    store.remove(session.identity)
    store.create(session)


class OneProcess:
    """Applies blocks of one row each, as a worker does."""

    def __init__(
        self,
        models: Models,
        store: MemoryStore,
        recent: Recent,
        recorder: Recorder | None = None,
    ) -> None:
        recorder = recorder or recorder_of(store)
        reader = Reader(store, recent)
        self._stepper = Stepper(models, store, reader, recent, LIMITS, recorder=recorder)

    def run(self, requests: Sequence[Steps]) -> list[Answer | Exception | Deferred[Answered]]:
        outcomes = self.run_parts([Part(request, (0,)) for request in requests])
        return [one.only() if isinstance(one, Answered) else one for one in outcomes]

    def run_parts(self, parts: Sequence[Part[Steps]]) -> list[StepOutcome]:
        return self._stepper.run(parts)


def stepper(
    models: Models,
    store: MemoryStore,
    recent: Recent | None = None,
    recorder: Recorder | None = None,
) -> OneProcess:
    """One process's; `recent` is what it knows already."""
    recent = Recent(RECENT_BYTES) if recent is None else recent
    return OneProcess(models, store, recent, recorder)


def recorder_of(store: MemoryStore, traces: Traces | None = None) -> Recorder:
    """One that records nothing yet."""
    return Recorder(traces or MemoryTraces(), store.now)


def outcome_of(outcome: object) -> object:
    """What comes of it, after what was put aside."""
    while isinstance(outcome, Deferred):
        outcome = outcome.work(lambda: True)()
    return outcome.only() if isinstance(outcome, Answered) else outcome


def answered(outcome: object) -> Answer:
    """As `outcome_of`, of what succeeds."""
    outcome = outcome_of(outcome)
    assert isinstance(outcome, Answer), outcome
    return outcome
