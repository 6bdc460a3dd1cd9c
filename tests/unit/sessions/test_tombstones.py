"""What is left of a session that was deleted, and how its id begins anew."""

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence

import numpy as np
import pytest

from service.errors import (
    SessionDamaged,
    SessionExpired,
    SessionFinished,
    SessionNotFound,
    StoreError,
    TooManySessions,
)
from service.operations.conditions import ANY, Conditions
from service.operations.inputs import JsonRows
from service.operations.keys import Key
from service.operations.requests import (
    Create,
    Delete,
    Fork,
    Get,
    ListSessions,
    Migrate,
    NewSession,
    PutState,
)
from service.operations.rollout import Rollout
from service.repository.models import Models
from service.sessions.sessions import Sessions
from service.stores.store import Found, Identity, Session
from tests.contract.sessions import found_in, read, same
from tests.unit.sessions.serving import serving
from tests.unit.sessions.steps import NOW, ROW, ManualStore, request, weather

RETENTION = 1_000.0
KEY = Key.of(b"k")
STATE = np.zeros(6, np.float32)


class DamagedStore(ManualStore):
    """A real store of which some sessions cannot be read until they are removed."""

    def __init__(self) -> None:
        super().__init__()
        self.damaged: set[Identity] = set()
        self.broken = False

    def read(self, identities: Sequence[Identity]) -> list[Found]:
        return [
            SessionDamaged(identity.session_id, "bits have rotted", model="weather")
            if identity in self.damaged
            else found
            for identity, found in zip(identities, super().read(identities), strict=True)
        ]

    def remove(self, identity: Identity) -> bool:
        if self.broken:
            raise StoreError("not even that")
        self.damaged.discard(identity)
        return super().remove(identity)


@pytest.fixture
def store() -> DamagedStore:
    store = DamagedStore()
    full = {"metadata": b'{"n":1}', "writers": b"w" * 16, "constants": b"cons", "tenant": ""}
    store.create(weather("a", **full))
    return store


@pytest.fixture
async def sessions(models: Models, store: DamagedStore) -> AsyncIterator[Sessions]:
    async with serving(models, store) as sessions:
        yield sessions


Ask = Callable[[Sessions], Coroutine[object, object, object]]
ASKED: dict[str, Ask] = {
    "get": lambda sessions: sessions.get(Get("a")),
    "step": lambda sessions: sessions.step(request("a")),
    "keyed step": lambda sessions: sessions.step(request("a", key=KEY)),
    "numbered step": lambda sessions: sessions.step(request("a", key=Key.of(b"w:5"))),
    "conditional step": lambda sessions: sessions.step(request("a", at=0)),
    "put": lambda sessions: sessions.put_state(PutState("a", 3, STATE)),
    "migrate": lambda sessions: sessions.migrate(Migrate("a")),
    "rollout": lambda sessions: sessions.rollout(Rollout("a", JsonRows([ROW]), 1)),
    "fork": lambda sessions: sessions.fork(Fork("a")),
    "delete": lambda sessions: sessions.delete(Delete("a")),
    "delete any": lambda sessions: sessions.delete(
        Delete("a", Conditions(if_match=frozenset([ANY])))
    ),
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
@pytest.mark.parametrize("known", [True, False])
async def test_nothing_can_be_asked_of_it(
    sessions: Sessions, store: DamagedStore, ask: Ask, *, known: bool
) -> None:
    if known:
        await sessions.step(request("a"))
    await sessions.delete(Delete("a"))
    left = found_in(store, "a")
    for _ in range(2):
        with pytest.raises(SessionFinished):
            await ask(sessions)
    assert same(read(store, "a"), left)


async def test_what_is_left(sessions: Sessions, store: DamagedStore) -> None:
    before = found_in(store, "a")
    await sessions.delete(Delete("a"))
    left = found_in(store, "a")
    assert left.finished
    assert (left.expires_at, left.created_at) == (NOW, before.created_at)
    assert (left.identity, left.model, left.step) == (before.identity, "weather", before.step)
    assert (len(left.state), left.metadata, left.receipts) == (0, b"{}", b"")
    assert (left.writers, left.constants) == (b"", b"")
    assert left.changes == before.changes + 1
    assert left.revision != before.revision
    page = await sessions.page(ListSessions())
    assert (page.sessions, page.damaged) == ([], [])


async def test_damaged_receipts_do_not_save_a_session(models: Models) -> None:
    store = ManualStore()
    store.create(weather("a", receipts=b"short"))
    async with serving(models, store) as sessions:
        await sessions.delete(Delete("a"))
        left = found_in(store, "a")
        assert (left.finished, left.receipts) == (True, b"")


@pytest.mark.parametrize("key", [None, KEY])
async def test_the_id_begins_anew(sessions: Sessions, store: DamagedStore, key: Key | None) -> None:
    await sessions.step(request("a"))
    await sessions.delete(Delete("a"))
    made, earlier = await sessions.create(Create("weather", NewSession("a"), key=key))
    assert not earlier
    assert same(found_in(store, "a"), made)
    assert (made.step, made.finished) == (0, False)
    assert (await sessions.step(request("a"))).step == 1
    await sessions.delete(Delete("a"))
    with pytest.raises(SessionFinished):
        await sessions.delete(Delete("a"))


async def test_a_fork_may_take_the_id(sessions: Sessions, store: DamagedStore) -> None:
    store.create(weather("source", step=20))
    await sessions.delete(Delete("a"))
    await sessions.fork(Fork("source", NewSession("a")))
    assert (await sessions.get(Get("a"))).step == 20


async def test_one_that_has_expired(sessions: Sessions, store: DamagedStore) -> None:
    store.clocks.pass_time(100)
    with pytest.raises(SessionExpired):
        await sessions.get(Get("a"))
    await sessions.delete(Delete("a"))
    assert found_in(store, "a").expires_at == NOW + 10, "it ended when it expired"
    with pytest.raises(SessionFinished):
        await sessions.get(Get("a"))


async def test_one_that_never_was(sessions: Sessions) -> None:
    with pytest.raises(SessionNotFound):
        await sessions.delete(Delete("nobody"))


async def test_a_damaged_one(sessions: Sessions, store: DamagedStore) -> None:
    store.damaged.add(Identity("", "a"))
    with pytest.raises(SessionDamaged):
        await sessions.get(Get("a"))
    with pytest.raises(SessionDamaged):
        await sessions.step(request("a"))
    await sessions.delete(Delete("a"))
    left = found_in(store, "a")
    assert (left.finished, left.model, left.expires_at) == (True, "weather", NOW)
    for ask in (sessions.get(Get("a")), sessions.step(request("a")), sessions.delete(Delete("a"))):
        with pytest.raises(SessionFinished):
            await ask
    await sessions.create(Create("weather", NewSession("a")))
    assert (await sessions.step(request("a"))).step == 1


async def test_one_too_damaged_for_that(sessions: Sessions, store: DamagedStore) -> None:
    store.damaged.add(Identity("", "a"))
    store.broken = True
    with pytest.raises(StoreError, match="not even that"):
        await sessions.delete(Delete("a"))
    with pytest.raises(SessionDamaged):
        await sessions.get(Get("a"))


async def test_a_damaged_one_that_is_made_anew_meanwhile(
    sessions: Sessions, store: DamagedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.damaged.add(Identity("", "a"))
    remove = store.remove

    def remove_and_create(identity: Identity) -> bool:
        removed = remove(identity)
        store.create(weather("a", step=30, created_at=NOW))
        return removed

    monkeypatch.setattr(store, "remove", remove_and_create)
    await sessions.delete(Delete("a"))
    assert (await sessions.get(Get("a"))).step == 30


async def test_a_tombstone_goes_when_expired_sessions_go(
    sessions: Sessions, store: DamagedStore
) -> None:
    await sessions.delete(Delete("a"))
    store.clocks.pass_time(RETENTION)
    assert await sessions.purge(RETENTION) == 0
    assert found_in(store, "a").finished
    store.clocks.pass_time(1)
    assert await sessions.purge(RETENTION) == 1
    assert read(store, "a") is None
    with pytest.raises(SessionNotFound):
        await sessions.get(Get("a"))


async def test_a_deleted_one_makes_room(models: Models) -> None:
    store = ManualStore()
    async with serving(models, store, max_sessions=1) as sessions:
        await sessions.create(Create("weather", NewSession("a")))
        with pytest.raises(TooManySessions):
            await sessions.create(Create("weather", NewSession("b")))
        await sessions.delete(Delete("a"))
        await sessions.create(Create("weather", NewSession("b")))


async def test_the_id_of_another_tenant_is_another_one(
    sessions: Sessions, store: DamagedStore
) -> None:
    other: Session = weather("a", tenant="north")
    store.create(other)
    await sessions.delete(Delete("a"))
    assert same(read(store, "a", tenant="north"), other)
