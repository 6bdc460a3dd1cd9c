"""Steps as requests, and stores on which they meet rivals and failures."""

from collections.abc import Callable, Sequence

import numpy as np
from service.sessions.conditions import Conditions

from service.batcher.batcher import Deferred
from service.errors import StoreError
from service.repository.models import Models
from service.sessions.answers import Answer
from service.sessions.receipts import Key
from service.sessions.recent import Recent
from service.sessions.stepping import StepOutcome, Stepper, StepRequest
from service.stores.memory import MemoryStore
from service.stores.store import Found, Replaced, Session
from tests.contract.sessions import moved, session

ROW = [20.0, 1000.0, 0.5]
NOW = 1_000.0
RECENT_BYTES = 1_000_000


class RacedStore(MemoryStore):
    """A real store, and a writer that is faster whenever a group is about to be committed."""

    def __init__(self, rival: Callable[[MemoryStore], object], times: int) -> None:
        super().__init__()
        self._rival = rival
        self.left = times

    def replace(self, sessions: Sequence[Session]) -> list[Replaced]:
        if self.left:
            self.left -= 1
            self._rival(self)
        return super().replace(sessions)


class FailingStore(MemoryStore):
    """A real store whose commits fail."""

    def replace(self, sessions: Sequence[Session]) -> list[Replaced]:
        raise StoreError(f"cannot write {len(sessions)} sessions")


def weather(session_id: str, **fields: object) -> Session:
    state = np.linspace(-0.5, 0.5, 6, dtype=np.float32)
    defaults = {"version": 1, "state": state, "expires_at": NOW + 10, "ttl_seconds": 60.0}
    return session(session_id, **(defaults | fields))


def request(
    session_id: str,
    inputs: list[list[float]] | None = None,
    *,
    gates: bool = False,
    key: Key | None = None,
    at: int | None = None,
    if_match: frozenset[str] | None = None,
) -> StepRequest:
    array = np.array([ROW] if inputs is None else inputs, np.float32)
    return StepRequest(session_id, lambda _: array, gates, Conditions(key, at, if_match))


def rival_step(store: MemoryStore, session_id: str) -> None:
    """Another process applies a step of its own."""
    found = whole(store.read([session_id])[0])
    MemoryStore.replace(store, [moved(found, step=found.step + 100)])


def whole(found: Found) -> Session:
    assert isinstance(found, Session)
    return found


def stepper(models: Models, store: MemoryStore) -> Stepper:
    return Stepper(models, store, lambda: NOW, Recent(RECENT_BYTES))


def answered(outcome: StepOutcome) -> Answer:
    """What comes of it, after what was put aside."""
    while isinstance(outcome, Deferred):
        outcome = outcome.work(lambda: True)()
    assert isinstance(outcome, Answer), outcome
    return outcome
