"""One change of one session, with other writers in between."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from service.sessions.conditions import UNCONDITIONAL, Conditions, tag

from service.errors import (
    KeyReused,
    PreconditionFailed,
    SessionContended,
    SessionExpired,
    SessionNotFound,
    StoreError,
)
from service.sessions.changing import MAX_ATTEMPTS, advanced, as_left, change, committed
from service.sessions.receipts import Key, Kind, recall
from service.stores.memory import MemoryStore
from service.stores.store import Replaced, Session
from tests.contract.sessions import moved, same
from tests.unit.sessions.steps import NOW, FailingStore, RacedStore, rival_step, weather, whole

KEY = Key.of(b"first", b"state", b"body")
STATE = np.full(6, 0.25, np.float32)


def put(session: Session) -> Session:
    return replace(session, step=3, state=STATE)


def same_as_before(session: Session) -> Session:
    return session


def changed(
    store: MemoryStore,
    conditions: Conditions = UNCONDITIONAL,
    apply: Callable[[Session], Session] = put,
) -> tuple[Session, bool]:
    return change(store, lambda: NOW, "a", conditions, apply)


def stored(store: MemoryStore) -> Session:
    return whole(store.read(["a"])[0])


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    store.create(weather("a"))
    return store


def raced(rival: Callable[[MemoryStore], object], times: int = 1) -> RacedStore:
    store = RacedStore(rival, times)
    store.create(weather("a"))
    return store


def test_a_change_is_one_revision_and_a_new_life(store: MemoryStore) -> None:
    session, replayed = changed(store)
    assert not replayed
    assert same(stored(store), session)
    assert (session.step, session.revision, session.expires_at) == (3, 1, NOW + 60.0)
    assert session.state.tobytes() == STATE.tobytes()


def test_the_last_attempt_may_win() -> None:
    store = raced(lambda store: rival_step(store, "a"), times=MAX_ATTEMPTS - 1)
    session, _ = changed(store)
    assert session.revision == MAX_ATTEMPTS
    assert same(stored(store), session)


def test_whoever_always_loses_changes_nothing() -> None:
    store = raced(lambda store: rival_step(store, "a"), times=1_000)
    with pytest.raises(SessionContended):
        changed(store)
    assert store.left == 1_000 - MAX_ATTEMPTS
    assert stored(store).step == 7 + 100 * MAX_ATTEMPTS, "only the rival moved it"


def test_what_is_applied_after_a_lost_race_is_what_the_winner_left() -> None:
    seen: list[int] = []

    def look(session: Session) -> Session:
        seen.append(session.step)
        return put(session)

    changed(raced(lambda store: rival_step(store, "a")), apply=look)
    assert seen == [7, 107]


def test_conditions_are_looked_at_again_after_a_lost_race() -> None:
    store = raced(lambda store: rival_step(store, "a"))
    with pytest.raises(PreconditionFailed) as raised:
        changed(store, Conditions(if_match=frozenset([tag(weather("a"))])))
    assert (raised.value.step, raised.value.tag) == (107, "1")
    assert stored(store).step == 107


def test_a_rival_that_applied_the_same_request_is_believed() -> None:
    store = raced(lambda store: changed(store, Conditions(KEY)))
    session, replayed = changed(store, Conditions(KEY))
    assert (session.step, session.revision, replayed) == (3, 1, True)
    assert stored(store).revision == 1


@pytest.mark.parametrize(
    ("rival", "error"),
    [
        (lambda store: store.delete("a"), SessionNotFound),
        (
            lambda store: MemoryStore.replace(store, [moved(weather("a"), expires_at=NOW)]),
            SessionExpired,
        ),
    ],
)
def test_a_session_that_ends_in_between(
    rival: Callable[[MemoryStore], object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        changed(raced(rival))


def test_a_retry_is_told_where_the_session_was(store: MemoryStore) -> None:
    first, _ = changed(store, Conditions(KEY))
    rival_step(store, "a")
    left = stored(store)
    again, replayed = changed(store, Conditions(KEY, at=7))
    assert replayed
    assert (again.version, again.step, again.revision) == (1, first.step, first.revision)
    assert same(stored(store), left)
    with pytest.raises(KeyReused):
        changed(store, Conditions(Key.of(b"first", b"state", b"another")))


def test_nothing_to_change_writes_nothing(store: MemoryStore) -> None:
    session, replayed = changed(store, apply=same_as_before)
    assert not replayed
    assert same(stored(store), weather("a")) and same(session, weather("a"))


def test_nothing_to_change_with_a_key_is_remembered_all_the_same(store: MemoryStore) -> None:
    """Later on there may be something: a retry must not find it."""
    first, _ = changed(store, Conditions(KEY), same_as_before)
    again, replayed = changed(store, Conditions(KEY), put)
    assert replayed
    assert (again.step, again.revision) == (first.step, first.revision) == (7, 1)
    assert stored(store).step == 7


def test_what_cannot_be_applied_leaves_its_key_free(store: MemoryStore) -> None:
    def refuse(_: Session) -> Session:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        changed(store, Conditions(KEY), refuse)
    assert same(stored(store), weather("a"))
    _, replayed = changed(store, Conditions(Key.of(b"first", b"state", b"another")))
    assert not replayed


def test_a_store_that_fails() -> None:
    store = FailingStore()
    store.create(weather("a"))
    with pytest.raises(StoreError, match="cannot write"):
        changed(store)

    class PartlyAway(MemoryStore):
        def replace(self, sessions: Sequence[Session]) -> list[Replaced]:
            return [StoreError("this node is away")] * len(sessions)

    away = PartlyAway()
    with pytest.raises(StoreError, match="this node"):
        committed(away, weather("a"))


def test_advanced_leaves_a_receipt_with_what_is_kept() -> None:
    before = weather("a", revision=5)
    after = advanced(before, NOW, KEY, step=9, state=STATE, kept=(Kind.BEFORE, b"1234"))
    receipt = recall(after, KEY)
    assert receipt is not None
    place = (receipt.version, receipt.step, receipt.revision)
    assert place == (after.version, after.step, after.revision) == (1, 9, 6)
    assert (receipt.kind, receipt.content) == (Kind.BEFORE, b"1234")
    assert advanced(before, NOW, None).receipts == before.receipts
    elsewhere = replace(after, version=2, step=50, revision=60)
    assert (as_left(elsewhere, receipt).version, as_left(elsewhere, receipt).step) == (1, 9)
