"""How many sessions may live at once, and how often they are counted."""

import pytest

from service.errors import StoreError, TooManySessions
from service.sessions.capacity import COUNTED_FOR_SECONDS, FULL_FOR_SECONDS, Capacity
from service.stores.store import Identity
from tests.contract.sessions import session
from tests.unit.sessions.steps import ManualStore

MOST = 3


class CountedStore(ManualStore):
    """A real store that says how often it was counted, and may fail at it."""

    def __init__(self) -> None:
        super().__init__()
        self.counts = 0
        self.fails = False

    def count(self, now: float) -> int:
        self.counts += 1
        if self.fails:
            raise StoreError("a part of the store is away")
        return super().count(now)


class Room:
    """A capacity and its store."""

    def __init__(self) -> None:
        self.store = CountedStore()
        self.capacity = Capacity(self.store, MOST, lambda: self.store.clocks.boot)

    def pass_time(self, seconds: float) -> None:
        self.store.clocks.pass_time(seconds)

    def add(self, name: str, life: float = 1e6) -> None:
        """As `Creation` does it."""
        self.capacity.check()
        self.create(name, life)
        self.capacity.created()

    def create(self, name: str, life: float = 1e6) -> None:
        """As another process does it."""
        now = self.store.now()
        self.store.create(session(name, created_at=now, expires_at=now + life))

    def fill(self, life: float = 1e6) -> None:
        for number in range(MOST):
            self.add(str(number), life)

    def is_full(self) -> bool:
        try:
            self.capacity.check()
        except TooManySessions:
            return True
        return False


def test_as_many_as_may_and_no_more() -> None:
    room = Room()
    room.fill()
    with pytest.raises(TooManySessions, match=f"{MOST} sessions live, at most {MOST} may"):
        room.capacity.check()
    assert room.store.count(room.store.now()) == MOST, "none was ended"


def test_one_that_was_ended_here_makes_room_at_once() -> None:
    room = Room()
    room.fill()
    room.store.remove(Identity("", "0"))
    room.capacity.ended()
    assert not room.is_full()


def test_one_that_expired_makes_room_within_the_time_a_refusal_is_relied_on() -> None:
    room = Room()
    room.fill(life=10.0)
    room.pass_time(10.0)
    assert not room.is_full()


def test_what_others_create_is_seen_at_the_next_count() -> None:
    room = Room()
    assert not room.is_full()
    for number in range(MOST):
        room.create(str(number))
    assert not room.is_full(), "it may overshoot by what others create meanwhile"
    room.pass_time(COUNTED_FOR_SECONDS * 1.01)
    assert room.is_full()


def test_counts_are_relied_on_for_a_while() -> None:
    room = Room()
    for _ in range(100):
        room.is_full()
    assert room.store.counts == 1
    room.pass_time(COUNTED_FOR_SECONDS * 1.01)
    room.fill()
    assert room.store.counts == 2
    for _ in range(100):
        assert room.is_full()
    assert room.store.counts == 2, "many refusals are cheap"
    room.pass_time(FULL_FOR_SECONDS * 1.01)
    assert room.is_full()
    assert room.store.counts == 3


def test_a_store_that_cannot_be_counted_goes_on_with_the_last_count() -> None:
    room = Room()
    room.add("a")
    room.store.fails = True
    room.pass_time(COUNTED_FOR_SECONDS * 1.01)
    room.add("b")
    room.add("c")
    assert room.is_full()
