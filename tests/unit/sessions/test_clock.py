"""Lives of sessions where somebody sets the clock: none ends for it, and none is forgotten."""

from collections.abc import AsyncIterator

import pytest

from service.errors import SessionExpired, SessionNotFound
from service.metrics.catalogue import CLOCK_HELD
from service.operations.requests import Create, Delete, Get, ListSessions, NewSession
from service.repository.models import Models
from service.sessions.sessions import Sessions
from tests.contract.sessions import found_in, read
from tests.unit.sessions.serving import serving
from tests.unit.sessions.steps import NOW, ManualStore, request

TTL = 60.0
RETENTION = 600.0
DAY = 86_400.0
JUMPS = [TTL + 1, RETENTION + TTL + 1, DAY, 400 * DAY, -DAY]


@pytest.fixture
def store() -> ManualStore:
    return ManualStore()


@pytest.fixture
async def sessions(models: Models, store: ManualStore) -> AsyncIterator[Sessions]:
    """One lives, one has expired, one was deleted."""
    async with serving(models, store, ttl_seconds=TTL) as sessions:
        await sessions.create(Create("weather", NewSession("expired", ttl_seconds=1.0)))
        await sessions.create(Create("weather", NewSession("deleted")))
        await sessions.delete(Delete("deleted"))
        store.clocks.pass_time(1.0)
        await sessions.create(Create("weather", NewSession("alive")))
        await sessions.keep_clock()
        yield sessions
        store.accept_clock()
        await sessions.keep_clock()


async def check_all_are_there(sessions: Sessions, store: ManualStore) -> None:
    assert (await sessions.get(Get("alive"))).session_id == "alive"
    page = await sessions.page(ListSessions())
    assert [one.session_id for one in page.sessions] == ["alive"]
    assert await sessions.purge(RETENTION) == 0
    assert found_in(store, "deleted").finished
    with pytest.raises(SessionExpired):
        await sessions.get(Get("expired"))


@pytest.mark.parametrize("seconds", JUMPS)
async def test_a_jump_ends_nothing_and_nothing_is_forgotten(
    sessions: Sessions, store: ManualStore, seconds: float
) -> None:
    store.clocks.jump(seconds)
    await check_all_are_there(sessions, store)
    assert sessions.clock_held is None, "nobody has looked"
    await sessions.keep_clock()
    assert sessions.clock_held is not None
    assert CLOCK_HELD._value.get() == 1
    await check_all_are_there(sessions, store)
    assert (await sessions.step(request("alive"))).step == 1
    assert found_in(store, "alive").expires_at == NOW + 1.0 + TTL, "its life is what it was"


async def test_lives_go_on_by_the_seconds_that_pass(sessions: Sessions, store: ManualStore) -> None:
    store.clocks.jump(DAY)
    await sessions.keep_clock()
    store.clocks.pass_time(TTL - 0.5)
    await sessions.get(Get("alive"))
    store.clocks.pass_time(0.5)
    with pytest.raises(SessionExpired):
        await sessions.step(request("alive"))


async def test_nothing_is_forgotten_while_the_clock_is_held(
    sessions: Sessions, store: ManualStore
) -> None:
    """However long that is: what expired meanwhile may have expired for a wrong reason."""
    store.clocks.jump(DAY)
    await sessions.keep_clock()
    for _ in range(5):
        store.clocks.pass_time(RETENTION)
        await sessions.keep_clock()
        assert await sessions.purge(RETENTION) == 0
    assert found_in(store, "expired").step == found_in(store, "deleted").step == 0


async def test_the_clock_is_right_again(sessions: Sessions, store: ManualStore) -> None:
    store.clocks.jump(DAY)
    await sessions.keep_clock()
    store.clocks.jump(-DAY)
    await sessions.keep_clock()
    assert sessions.clock_held is None
    assert CLOCK_HELD._value.get() == 0
    store.clocks.pass_time(RETENTION + 2)
    assert await sessions.purge(RETENTION) == 2
    assert read(store, "deleted") is None
    assert read(store, "alive") is not None


async def test_somebody_accepts_the_clock(sessions: Sessions, store: ManualStore) -> None:
    store.clocks.jump(DAY)
    await sessions.keep_clock()
    store.accept_clock()
    await sessions.keep_clock()
    assert sessions.clock_held is None
    with pytest.raises(SessionExpired):
        await sessions.get(Get("alive"))
    assert await sessions.purge(RETENTION) == 3
    with pytest.raises(SessionNotFound):
        await sessions.get(Get("alive"))


async def test_a_machine_that_slept_is_no_jump(sessions: Sessions, store: ManualStore) -> None:
    store.clocks.pass_time(DAY)
    await sessions.keep_clock()
    assert sessions.clock_held is None
    assert await sessions.purge(RETENTION) == 3
