"""One change of one session, with other writers in between."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from service.errors import (
    KeyReused,
    PreconditionFailed,
    SessionContended,
    SessionExpired,
    SessionNotFound,
    StoreError,
)
from service.operations.conditions import UNCONDITIONAL, Conditions
from service.operations.keys import Key
from service.operations.requests import PutState
from service.sessions.admission import tag
from service.sessions.changing import (
    MAX_ATTEMPTS,
    Kept,
    advanced,
    as_left,
    change,
    committed,
)
from service.sessions.reader import Reader
from service.sessions.receipts import Kind, recall
from service.sessions.recent import Recent
from service.stores.memory import MemoryStore
from service.stores.store import Replaced, Session
from tests.contract.sessions import following, found_in, moved, same
from tests.unit.sessions.steps import (
    NOW,
    FailingStore,
    ManualStore,
    RacedStore,
    holding,
    rival_step,
    weather,
)

KEY = Key.of(b"first")
STATE = np.full(6, 0.25, np.float32)


def put(session: Session) -> Session:
    return replace(session, step=3, state=STATE)


def same_as_before(session: Session) -> Session:
    return session


def changed(
    store: MemoryStore,
    conditions: Conditions = UNCONDITIONAL,
    apply: Callable[[Session], Session] = put,
    step: int = 3,
) -> tuple[Session, bool]:
    """A request to put STATE in place, applied as `apply` says."""
    request = PutState("a", step, STATE, conditions=conditions)
    return change(store, Reader(store, Recent(0)), request, apply)


def stored(store: MemoryStore) -> Session:
    return found_in(store, "a")


@pytest.fixture
def store() -> ManualStore:
    return holding(weather("a"))


def raced(rival: Callable[[MemoryStore], object], times: int = 1) -> RacedStore:
    store = RacedStore(rival, times)
    store.create(weather("a"))
    return store


def test_a_change_is_one_more_another_revision_and_a_new_life(store: MemoryStore) -> None:
    before = stored(store)
    session, replayed = changed(store)
    assert not replayed
    assert same(stored(store), session)
    assert (session.step, session.changes) == (3, before.changes + 1)
    assert session.revision != before.revision
    assert session.expires_at == NOW + 60.0
    assert session.state.tobytes() == STATE.tobytes()


def test_changes_are_not_counted_for_an_older_release(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "counts_changes", False, raising=False)
    assert changed(store)[0].changes == 0


def test_the_last_attempt_may_win() -> None:
    store = raced(lambda store: rival_step(store, "a"), times=MAX_ATTEMPTS - 1)
    before = weather("a")
    session, _ = changed(store)
    assert session.changes == before.changes + MAX_ATTEMPTS
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
    assert (raised.value.step, raised.value.tag) == (107, tag(stored(store)))
    assert stored(store).step == 107


def test_a_rival_that_applied_the_same_request_is_believed() -> None:
    store = raced(lambda store: changed(store, Conditions(KEY)))
    session, replayed = changed(store, Conditions(KEY))
    left = stored(store)
    assert (session.step, session.revision, replayed) == (3, left.revision, True)
    assert left.changes == weather("a").changes + 1


def expire(store: MemoryStore) -> None:
    before = weather("a")
    MemoryStore.replace(store, [moved(before, expires_at=NOW)], [before.revision])


@pytest.mark.parametrize(
    ("rival", "error"),
    [
        (lambda store: store.remove(weather("a").identity), SessionNotFound),
        (expire, SessionExpired),
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
        changed(store, Conditions(KEY), step=4)
    assert same(stored(store), left)


def test_nothing_to_change_writes_nothing(store: MemoryStore) -> None:
    session, replayed = changed(store, apply=same_as_before)
    assert not replayed
    assert same(stored(store), weather("a")) and same(session, weather("a"))


def test_nothing_to_change_with_a_key_is_remembered_all_the_same(store: MemoryStore) -> None:
    """Later on there may be something: a retry must not find it."""
    first, _ = changed(store, Conditions(KEY), same_as_before)
    again, replayed = changed(store, Conditions(KEY), put)
    assert replayed
    assert (again.step, again.revision) == (first.step, first.revision)
    assert (first.step, first.changes) == (7, weather("a").changes + 1)
    assert stored(store).step == 7


def test_what_cannot_be_applied_leaves_its_key_free(store: MemoryStore) -> None:
    def refuse(_: Session) -> Session:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        changed(store, Conditions(KEY), refuse)
    assert same(stored(store), weather("a"))
    _, replayed = changed(store, Conditions(KEY), step=4)
    assert not replayed


def test_a_store_that_fails() -> None:
    store = FailingStore()
    store.create(weather("a"))
    with pytest.raises(StoreError, match="cannot write a"):
        changed(store)

    class PartlyAway(MemoryStore):
        def replace(self, sessions: Sequence[Session], expected: Sequence[int]) -> list[Replaced]:
            return [StoreError("this node is away") for _ in zip(sessions, expected, strict=True)]

    away = PartlyAway()
    with pytest.raises(StoreError, match="this node"):
        committed(away, weather("a"), 0)


def test_advanced_leaves_a_receipt_with_what_is_kept(store: MemoryStore) -> None:
    before = weather("a", revision=5)
    kept = Kept(b"meaning.", Kind.BEFORE, b"1234")
    after = advanced(before, store, NOW, KEY, kept, step=9, state=STATE)
    receipt = recall(after, KEY)
    assert receipt is not None
    place = (receipt.version, receipt.step, receipt.revision)
    assert place == (after.version, after.step, after.revision)
    assert (after.version, after.step) == (1, 9)
    assert (receipt.request, receipt.kind, receipt.content) == (b"meaning.", Kind.BEFORE, b"1234")
    assert advanced(before, store, NOW).receipts == before.receipts
    elsewhere = replace(after, version=2, step=50, revision=following(5))
    left = as_left(elsewhere, receipt)
    assert (left.version, left.step, left.revision) == (1, 9, after.revision)


def test_advanced_keeps_everything_that_a_change_does_not_concern(store: MemoryStore) -> None:
    before = weather(
        "a", metadata=b'{"n":1}', writers=b"w" * 16, constants=b"cons", tenant="north", row=12
    )
    after = advanced(before, store, NOW)
    expected = replace(
        before, changes=before.changes + 1, revision=after.revision, expires_at=NOW + 60
    )
    assert same(after, expected)
    assert after.row == 12
