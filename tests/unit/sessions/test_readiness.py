"""Busy is ready, hanging is not: with a store that takes as long as a test wants."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from threading import Event

import pytest

from service.errors import ShuttingDown, StoreError
from service.operations.requests import Get
from service.repository.models import Models
from service.sessions.readiness import Readiness
from service.sessions.sessions import Sessions
from service.stores.memory import MemoryStore
from service.stores.store import Found, Identity
from tests.unit.sessions.serving import serving


class SlowStore(MemoryStore):
    """Answers once `answers` is set; then with an error, if there is one."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = Event()
        self.answers.set()
        self.error: StoreError | None = None

    def read(self, identities: Sequence[Identity]) -> list[Found]:
        assert self.answers.wait(20)
        if self.error is not None:
            return [self.error] * len(identities)
        return super().read(identities)


@pytest.fixture
def store() -> SlowStore:
    return SlowStore()


@pytest.fixture
async def sessions(store: SlowStore) -> AsyncIterator[Sessions]:
    async with serving(Models(), store, max_queue=2) as sessions:
        yield sessions
        store.answers.set()


async def test_a_store_that_answers(sessions: Sessions) -> None:
    await Readiness().check(sessions)


async def test_a_store_that_fails(sessions: Sessions, store: SlowStore) -> None:
    store.error = StoreError("no disk")
    with pytest.raises(StoreError, match="no disk"):
        await Readiness().check(sessions)
    store.error = None
    await Readiness().check(sessions)


async def test_a_store_that_is_busy(sessions: Sessions, store: SlowStore) -> None:
    store.answers.clear()
    await Readiness().check(sessions)


async def test_a_queue_that_is_full(sessions: Sessions, store: SlowStore) -> None:
    store.answers.clear()
    waiting = [asyncio.create_task(sessions.get(Get(str(number)))) for number in range(6)]
    await Readiness().check(sessions)
    store.answers.set()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(outcome).__name__ for outcome in outcomes} == {"Overloaded", "SessionNotFound"}


async def test_a_store_that_hangs(sessions: Sessions, store: SlowStore) -> None:
    store.error = StoreError("timed out")
    with pytest.raises(StoreError):
        await sessions.get(Get("a"))
    store.answers.clear()
    with pytest.raises(StoreError, match="timed out"):
        await Readiness().check(sessions)
    store.error = None
    store.answers.set()
    await Readiness().check(sessions)


async def test_draining_comes_before_everything(sessions: Sessions, store: SlowStore) -> None:
    readiness = Readiness()
    readiness.draining = True
    store.error = StoreError("no disk")
    with pytest.raises(ShuttingDown):
        await readiness.check(sessions)
