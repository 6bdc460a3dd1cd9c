"""A store far away: while one group waits for it, others are computed."""

import asyncio
import time
from collections.abc import Sequence
from threading import Lock

from service.repository.models import Models
from service.stores.store import Found, Identity, Replaced, Session
from tests.unit.sessions.serving import serving
from tests.unit.sessions.steps import ManualStore, request, weather

ROUND_TRIP_SECONDS = 0.02
ROUNDS = 6
CLIENTS = 12


class FarStore(ManualStore):
    """A real store behind round trips; `workers` threads may be under way at once."""

    def __init__(self, workers: int) -> None:
        super().__init__()
        self._stores = workers
        self._under_way = 0
        self._counting = Lock()
        self.most_under_way = 0

    def read(self, identities: Sequence[Identity]) -> list[Found]:
        self._travel()
        return super().read(identities)

    def replace(self, sessions: Sequence[Session], expected: Sequence[int]) -> list[Replaced]:
        self._travel()
        return super().replace(sessions, expected)

    def _travel(self) -> None:
        with self._counting:
            self._under_way += 1
            self.most_under_way = max(self.most_under_way, self._under_way)
        time.sleep(ROUND_TRIP_SECONDS)
        with self._counting:
            self._under_way -= 1

    def clone_for_thread(self) -> "FarStore | None":
        if self._stores == 1:
            return None
        self._stores -= 1
        return self


async def most_under_way(models: Models, workers: int) -> int:
    """Accesses at once, for clients that begin at different times and step one session each."""
    store = FarStore(workers)
    for number in range(CLIENTS):
        store.create(weather(f"s{number}", step=0))

    async with serving(models, store) as sessions:

        async def client(number: int) -> int:
            await asyncio.sleep(number * 2 * ROUND_TRIP_SECONDS / CLIENTS)
            for _ in range(ROUNDS):
                answer = await sessions.step(request(f"s{number}"))
            return answer.step

        steps = await asyncio.gather(*map(client, range(CLIENTS)))
    assert steps == [ROUNDS] * CLIENTS
    return store.most_under_way


async def test_workers_overlap_round_trips(models: Models) -> None:
    assert await most_under_way(models, 1) == 1
    assert await most_under_way(models, 3) == 3
