"""A store far away: while one group waits for it, others are computed."""

import asyncio
import time
from collections.abc import Sequence
from threading import Lock

import numpy as np

from service.repository.models import Models
from service.sessions.sequences import Sequences
from service.sessions.sessions import Sessions
from service.sessions.stepping import StepRequest
from service.stores.memory import MemoryStore
from service.stores.store import Found, Replaced, Session
from tests.contract.sessions import session

ROUND_TRIP_SECONDS = 0.02
ROUNDS = 6
CLIENTS = 12


class FarStore(MemoryStore):
    """A real store behind round trips; `workers` threads may be under way at once."""

    def __init__(self, workers: int) -> None:
        super().__init__()
        self._stores = workers
        self._under_way = 0
        self._counting = Lock()
        self.most_under_way = 0

    def read(self, session_ids: Sequence[str]) -> list[Found]:
        self._travel()
        return super().read(session_ids)

    def replace(self, sessions: Sequence[Session]) -> list[Replaced]:
        self._travel()
        return super().replace(sessions)

    def _travel(self) -> None:
        with self._counting:
            self._under_way += 1
            self.most_under_way = max(self.most_under_way, self._under_way)
        time.sleep(ROUND_TRIP_SECONDS)
        with self._counting:
            self._under_way -= 1

    def another(self) -> "FarStore | None":  # type: ignore[override]
        if self._stores == 1:
            return None
        self._stores -= 1
        return self


async def most_under_way(models: Models, workers: int) -> int:
    """Accesses at once, for clients that begin at different times and step one session each."""
    store = FarStore(workers)
    sequences = Sequences(1)
    limits = {"max_sessions": 100, "max_batch": 100, "max_queue": 100}
    sessions = Sessions(models, store, time.time, sequences, ttl_seconds=60, **limits)
    for number in range(CLIENTS):
        state = np.zeros(6, np.float32)
        store.create(session(f"s{number}", version=1, step=0, state=state, expires_at=2e10))
    row = np.array([[20.0, 1000.0, 0.5]], np.float32)

    async def client(number: int) -> int:
        await asyncio.sleep(number * 2 * ROUND_TRIP_SECONDS / CLIENTS)
        for _ in range(ROUNDS):
            answer = await sessions.step(StepRequest(f"s{number}", lambda _: row, gates=False))
        return answer.step

    steps = await asyncio.gather(*map(client, range(CLIENTS)))
    assert steps == [ROUNDS] * CLIENTS
    await sessions.close()
    sequences.close()
    return store.most_under_way


async def test_workers_overlap_round_trips(models: Models) -> None:
    assert await most_under_way(models, 1) == 1
    assert await most_under_way(models, 3) == 3
