"""A store that remembers whether its latest access failed."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import pytest

from service.errors import CommitUnknown, SessionDamaged, SessionExists, StoreError, StoreFull
from service.metrics.catalogue import REGISTRY
from service.stores.memory import MemoryStore
from service.stores.observed import MAX_WORKER_THREADS, ObservedStore, stores_for_threads
from service.stores.store import Found, Identity, Listed, Position, Replaced, Session, Store
from tests.contract.listing_contract import ids_of, listed
from tests.contract.sessions import moved, read, replaced, same, session
from tests.manual_clocks import ManualClocks

Outcome = TypeVar("Outcome")

ACCESSES: dict[str, Callable[[Store], object]] = {
    "create": lambda store: store.create(session("new")),
    "remove": lambda store: store.remove(session().identity),
    "page": listed,
    "count": lambda store: store.count(0.0),
    "purge": lambda store: store.purge(0.0, 1),
    "refresh_clock": lambda store: store.refresh_clock(),
    "accept_clock": lambda store: store.accept_clock(),
}
GROUP = [session(), session("nobody")]
GROUPS: dict[str, Callable[[Store], Sequence[object]]] = {
    "read": lambda store: store.read([one.identity for one in GROUP]),
    "replace": lambda store: replaced(store, *((one, moved(one)) for one in GROUP)),
}


class FailingStore(MemoryStore):
    """A real store whose every access fails for as long as there is an error.

    Or a group in part, where there are `outcomes` for its last ones.
    """

    error: StoreError | None = None
    outcomes: Sequence[StoreError] = ()

    def create(self, session: Session) -> None:
        self._fail()
        super().create(session)

    def read(self, identities: Sequence[Identity]) -> list[Found]:
        return self._outcomes(super().read(identities))

    def replace(self, sessions: Sequence[Session], expected: Sequence[int]) -> list[Replaced]:
        return self._outcomes(super().replace(sessions, expected))

    def remove(self, identity: Identity) -> bool:
        self._fail()
        return super().remove(identity)

    def page(self, *, tenant: str, model: str | None, after: Position, limit: int) -> list[Listed]:
        self._fail()
        return super().page(tenant=tenant, model=model, after=after, limit=limit)

    def count(self, now: float) -> int:
        self._fail()
        return super().count(now)

    def purge(self, expired_before: float, limit: int) -> int:
        self._fail()
        return super().purge(expired_before, limit)

    def refresh_clock(self) -> None:
        self._fail()
        super().refresh_clock()

    def accept_clock(self) -> None:
        self._fail()
        super().accept_clock()

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error

    def _outcomes(self, outcomes: list[Outcome]) -> list[Outcome | StoreError]:
        if self.error is not None:
            return [self.error] * len(outcomes)
        return [*outcomes[: len(outcomes) - len(self.outcomes)], *self.outcomes]


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


@pytest.mark.parametrize("access", GROUPS.values(), ids=GROUPS.keys())
@pytest.mark.parametrize("kind", [StoreError, CommitUnknown])
def test_a_group_without_any_answer_is_a_failure(
    failing: FailingStore, access: Callable[[Store], Sequence[object]], kind: type[StoreError]
) -> None:
    store = ObservedStore(failing)
    failing.error = kind("away")
    assert access(store) == [failing.error] * 2
    assert store.failure is failing.error
    assert store.read([]) == []
    assert store.failure is failing.error, "nothing was asked"
    failing.error = None
    access(store)
    assert store.failure is None


@pytest.mark.parametrize("access", GROUPS.values(), ids=GROUPS.keys())
@pytest.mark.parametrize(
    "outcomes",
    [
        [StoreError("a part is away")],
        [SessionDamaged("nobody", "torn")],
        [SessionDamaged("s", "torn"), SessionDamaged("nobody", "torn")],
        [SessionDamaged("s", "torn"), StoreError("a part is away")],
    ],
)
def test_a_group_with_an_answer_is_none(
    failing: FailingStore,
    access: Callable[[Store], Sequence[object]],
    outcomes: Sequence[StoreError],
) -> None:
    store = ObservedStore(failing)
    failing.error = StoreError("away")
    access(store)
    failing.error, failing.outcomes = None, outcomes
    assert list(access(store)[-len(outcomes) :]) == outcomes
    assert store.failure is None


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def errors_of(kind: str) -> float:
    return counted("gatewise_store_errors_total", kind=kind)


def test_errors_are_counted_by_kind_and_one_for_a_whole_access_once(
    failing: FailingStore,
) -> None:
    store = ObservedStore(failing)
    kinds = {
        "unavailable": StoreError("away"),
        "full": StoreFull("no room"),
        "commit_unknown": CommitUnknown("cut"),
        "damaged": SessionDamaged("s", "torn"),
    }
    for kind, error in kinds.items():
        before = {one: errors_of(one) for one in kinds}
        failing.error = error
        store.read([one.identity for one in GROUP])
        with pytest.raises(StoreError):
            store.count(0.0)
        after = {one: errors_of(one) for one in kinds}
        assert after == {**before, kind: before[kind] + 2}


def test_lost_races_are_counted(failing: FailingStore) -> None:
    store = ObservedStore(failing)
    before = counted("gatewise_conflicts_total")
    pairs = [(one, moved(one)) for one in GROUP]
    assert replaced(store, *pairs) == [True, False]
    assert counted("gatewise_conflicts_total") == before + 1


def test_a_full_store_is_no_failure_since_it_reads_on(failing: FailingStore) -> None:
    store = ObservedStore(failing)
    failing.error = StoreFull("no room")
    assert isinstance(replaced(store, (session(), moved(session())))[0], StoreFull)
    assert store.failure is None
    with pytest.raises(StoreFull):
        store.create(session("new"))
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
    assert same(read(store, "a"), first)
    pair = first, moved(first)
    assert replaced(store, pair, pair) == [True, False]
    assert ids_of(listed(store)) == ["b", "a"]
    assert ids_of(listed(store, "weather")) == ["a"]
    assert ids_of(listed(store, after=("m", ""))) == ["a"]
    assert listed(store, tenant="t") == []
    assert store.count(0.0) == 2
    assert (store.remove(first.identity), store.remove(first.identity)) == (True, False)
    assert store.purge(second.expires_at + 1, 5) == 1
    assert store.counts_changes
    store.create(first)
    store.close()
    assert read(inner, "a") is None


def test_the_clock_is_that_of_the_store() -> None:
    clocks = ManualClocks()
    store = ObservedStore(MemoryStore(clocks.clocks))
    clocks.jump(1e6)
    assert store.now() == clocks.wall - 1e6
    store.refresh_clock()
    assert store.clock_held is not None
    store.accept_clock()
    assert store.clock_held is None
    assert store.now() == clocks.wall


class ClonedStore(MemoryStore):
    """Worth another thread, as often as one likes."""

    def clone_for_thread(self) -> "ClonedStore":
        return ClonedStore()


def test_there_is_a_store_for_each_thread_that_is_worth_it() -> None:
    alone = ObservedStore(MemoryStore())
    assert stores_for_threads(alone) == [alone]
    first = ObservedStore(ClonedStore())
    stores = stores_for_threads(first)
    assert len(stores) == MAX_WORKER_THREADS
    assert stores[0] is first
