"""A store that remembers whether its latest access failed."""

from collections.abc import Callable, Sequence

import pytest

from service.errors import CommitUnknown, SessionExists, StoreError, StoreFull
from service.stores.memory import MemoryStore
from service.stores.observed import ObservedStore
from service.stores.store import Found, Position, Replaced, Session, Store
from tests.contract.sessions import moved, same, session

ACCESSES: dict[str, Callable[[Store], object]] = {
    "create": lambda store: store.create(session("new")),
    "read": lambda store: store.read(["s"]),
    "replace": lambda store: store.replace([moved(session())]),
    "delete": lambda store: store.delete("s"),
    "page": lambda store: store.page(model=None, after=("", ""), limit=1),
    "count": lambda store: store.count(0.0),
    "purge": lambda store: store.purge(0.0, 1),
}


class FailingStore(MemoryStore):
    """A real store whose every access fails for as long as there is an error."""

    error: StoreError | None = None

    def create(self, session: Session) -> None:
        self._fail()
        super().create(session)

    def read(self, session_ids: Sequence[str]) -> list[Found]:
        self._fail()
        return super().read(session_ids)

    def replace(self, sessions: Sequence[Session]) -> list[Replaced]:
        self._fail()
        return super().replace(sessions)

    def delete(self, session_id: str, revision: int | None = None) -> bool:
        self._fail()
        return super().delete(session_id, revision)

    def page(self, *, model: str | None, after: Position, limit: int) -> list[Session]:
        self._fail()
        return super().page(model=model, after=after, limit=limit)

    def count(self, now: float) -> int:
        self._fail()
        return super().count(now)

    def purge(self, expired_before: float, limit: int) -> int:
        self._fail()
        return super().purge(expired_before, limit)

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error


@pytest.fixture
def failing() -> FailingStore:
    store = FailingStore()
    store.create(session())
    return store


@pytest.mark.parametrize("access", ACCESSES.values(), ids=ACCESSES.keys())
@pytest.mark.parametrize("kind", [StoreError, CommitUnknown])
def test_a_failure_is_remembered_until_the_next_success(
    failing: FailingStore, access: Callable[[Store], object], kind: type[StoreError]
) -> None:
    store = ObservedStore(failing)
    assert store.failure is None
    failing.error = kind("away")
    with pytest.raises(kind):
        access(store)
    assert store.failure is failing.error
    failing.error = None
    access(store)
    assert store.failure is None


def test_a_full_store_is_no_failure_since_it_reads_on(failing: FailingStore) -> None:
    store = ObservedStore(failing)
    failing.error = StoreFull("no room")
    with pytest.raises(StoreFull):
        store.replace([moved(session())])
    assert store.failure is None


def test_an_id_that_is_taken_is_no_failure(failing: FailingStore) -> None:
    store = ObservedStore(failing)
    with pytest.raises(SessionExists):
        store.create(session())
    assert store.failure is None


def test_everything_is_handed_on() -> None:
    inner = MemoryStore()
    store = ObservedStore(inner)
    first, second = session("a"), session("b", model="letters")
    store.create(first)
    store.create(second)
    assert same(store.read(["a"])[0], first)
    assert store.replace([moved(first), first]) == [True, False]
    assert [one.session_id for one in store.page(model=None, after=("", ""), limit=5)] == ["b", "a"]
    assert [one.session_id for one in store.page(model="weather", after=("", ""), limit=5)] == ["a"]
    assert [one.session_id for one in store.page(model=None, after=("m", ""), limit=5)] == ["a"]
    assert store.count(0.0) == 2
    assert (store.delete("a", first.revision), store.delete("a", 1)) == (False, True)
    assert store.purge(second.expires_at + 1, 5) == 1
    store.create(first)
    store.close()
    assert inner.read(["a"]) == [None]
