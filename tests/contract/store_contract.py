"""What every store promises. A store's own test file subclasses this and gives it a store."""

import time

import numpy as np
import pytest

from service.errors import SessionExists
from service.stores.store import Found, Position, Session, Store
from tests.contract.sessions import moved, same, session

MANY = 1201
"""More than any limit on bound variables that a database has had."""

MODELS = ("co2", "co2-deep", "characters")
FIRST: Position = ("", "")
NOW = time.time()
"""Stores that forget by themselves go by the real clock."""


class StoreContract:
    """Subclasses define the fixture `store`: an empty one."""

    def test_a_created_session_is_read_unchanged(self, store: Store) -> None:
        store.create(session())
        assert same(store.read(["s"])[0], session())

    def test_another_way_to_it_leads_to_the_same_sessions(self, store: Store) -> None:
        other = store.another()
        if other is None:  # more threads would win nothing
            return
        store.create(session())
        assert same(other.read(["s"])[0], session())
        assert other.replace([moved(session())]) == [True]
        assert store.replace([moved(session())]) == [False]
        other.close()
        assert same(store.read(["s"])[0], moved(session()))

    def test_an_id_is_created_once(self, store: Store) -> None:
        store.create(session())
        with pytest.raises(SessionExists, match="'s'"):
            store.create(session(model="other", step=0))
        assert same(store.read(["s"])[0], session())

    def test_an_expired_id_is_created_anew_and_a_live_one_is_not(self, store: Store) -> None:
        first = session(
            created_at=NOW, expires_at=NOW + 10, state=np.ones(2, np.float32), receipts=b"old"
        )
        store.create(first)
        with pytest.raises(SessionExists):
            store.create(session(created_at=NOW + 9.9, expires_at=NOW + 20))
        assert same(store.read(["s"])[0], first)
        second = session(
            model="other", revision=9, created_at=NOW + 10, expires_at=NOW + 20, metadata=b"[]"
        )
        store.create(second)
        assert same(store.read(["s"])[0], second)
        with pytest.raises(SessionExists):
            store.create(session(created_at=NOW + 15, expires_at=NOW + 25))

    def test_ids_differ_by_case_and_by_every_character(self, store: Store) -> None:
        ids = ["a", "A", "a ", "ä", "a\u0308", "a\x00", "a%", "a_", "'", '"', "1", "01"]
        for index, session_id in enumerate(ids):
            store.create(session(session_id, step=index))
        found = store.read(ids)
        assert _steps(found) == list(range(len(ids)))

    def test_reads_come_in_the_order_of_their_ids(self, store: Store) -> None:
        for session_id in "abc":
            store.create(session(session_id))
        found = store.read(["c", "nobody", "a", "c", "b"])
        assert [one and _whole(one).session_id for one in found] == ["c", None, "a", "c", "b"]

    def test_reading_nothing_gives_nothing(self, store: Store) -> None:
        assert store.read([]) == []
        assert store.replace([]) == []

    @pytest.mark.parametrize(
        "bits",
        [
            [0x00000001, 0x007FFFFF, 0x80000000, 0x3DCCCCCD, 0x7F7FFFFF, 0xFF7FFFFF],
            [0x7F800000, 0xFF800000, 0x7FC00000, 0x7F800001],
            [],
        ],
        ids=["finite", "not finite", "none"],
    )
    def test_every_bit_of_a_state_is_kept(self, store: Store, bits: list[int]) -> None:
        state = np.array(bits, np.uint32).view(np.float32)
        store.create(session(state=state))
        assert same(store.read(["s"])[0], session(state=state))
        store.replace([moved(session(), state=state[::-1].copy())])
        found = _whole(store.read(["s"])[0])
        assert found.state.tobytes() == state[::-1].tobytes()

    def test_a_wide_state(self, store: Store) -> None:
        state = np.random.default_rng(0).normal(size=5000).astype(np.float32)
        store.create(session(state=state))
        assert same(store.read(["s"])[0], session(state=state))

    def test_large_counts_and_times(self, store: Store) -> None:
        large = session(step=2**60, revision=2**60, expires_at=1e12, ttl_seconds=1e-9)
        store.create(large)
        assert same(store.read(["s"])[0], large)

    def test_replacing_takes_exactly_the_next_revision(self, store: Store) -> None:
        store.create(session(revision=5))
        for wrong in (4, 5, 7, 0):
            assert store.replace([moved(session(), revision=wrong)]) == [False]
            assert same(store.read(["s"])[0], session(revision=5))
        after = moved(
            session(revision=5),
            version=4,
            expires_at=1_800_000_000.5,
            ttl_seconds=3.5,
            metadata=b'{"a": "b"}',
            receipts=b"\x00\xff",
        )
        assert store.replace([after]) == [True]
        assert same(store.read(["s"])[0], after)

    def test_the_same_replacement_succeeds_once(self, store: Store) -> None:
        store.create(session())
        after = moved(session())
        assert store.replace([after]) == [True]
        assert store.replace([after]) == [False]

    def test_what_is_not_there_is_not_replaced(self, store: Store) -> None:
        assert store.replace([moved(session())]) == [False]
        assert store.read(["s"]) == [None]

    def test_losers_of_a_group_do_not_touch_the_others(self, store: Store) -> None:
        before = {one: session(one) for one in "abcde"}
        for one in before.values():
            store.create(one)
        store.replace([moved(before["b"], step=100)])
        store.delete("d")
        applied = store.replace([moved(one) for one in before.values()])
        assert applied == [True, False, True, False, True]
        found = store.read(list("abcde"))
        assert _steps(found) == [8, 100, 8, None, 8]

    @pytest.mark.parametrize("size", [1, 2, 500, 501, MANY])
    def test_groups_of_any_size(self, store: Store, size: int) -> None:
        sessions = [session(f"{index:05}", step=index) for index in range(size)]
        for one in sessions:
            store.create(one)
        assert store.replace([moved(one) for one in sessions]) == [True] * size
        found = store.read([one.session_id for one in reversed(sessions)])
        assert _steps(found) == list(range(size, 0, -1))

    def test_deleting_is_done_once(self, store: Store) -> None:
        store.create(session("a"))
        store.create(session("b"))
        assert store.delete("a")
        assert not store.delete("a")
        assert [one and _whole(one).session_id for one in store.read(["a", "b"])] == [None, "b"]

    def test_deleting_a_revision_takes_that_one_only(self, store: Store) -> None:
        store.create(session(revision=5))
        assert not store.delete("s", revision=4)
        assert not store.delete("s", revision=6)
        assert same(store.read(["s"])[0], session(revision=5))
        assert store.delete("s", revision=5)
        assert not store.delete("s", revision=5)

    def test_a_deleted_id_can_be_created_again(self, store: Store) -> None:
        store.create(session(model="first"))
        store.delete("s")
        store.create(session(model="second"))
        assert same(store.read(["s"])[0], session(model="second"))

    def test_pages_are_ordered_and_complete(self, store: Store) -> None:
        ids = ["b", "B", "a", "10", "9", "~", "aa", "a.b", "a-b"]
        for index, session_id in enumerate(ids):
            store.create(session(session_id, model=MODELS[index % 3]))
        found: list[Position] = []
        while page := store.page(model=None, after=found[-1] if found else FIRST, limit=2):
            assert len(page) == 2 or len(found) + len(page) == len(ids)
            found += [(one.model, one.session_id) for one in page]
        assert found == sorted((MODELS[index % 3], one) for index, one in enumerate(ids))

    def test_pages_of_one_model(self, store: Store) -> None:
        for index in range(6):
            store.create(session(str(index), model="even" if index % 2 == 0 else "odd"))
        assert _ids(store.page(model="odd", after=FIRST, limit=10)) == ["1", "3", "5"]
        assert _ids(store.page(model="odd", after=("odd", "1"), limit=1)) == ["3"]
        assert _ids(store.page(model="odd", after=("even", "9"), limit=1)) == ["1"]
        assert store.page(model="odd", after=("odd", "5"), limit=1) == []
        assert store.page(model="nobody", after=FIRST, limit=10) == []
        assert store.page(model="od", after=FIRST, limit=10) == []

    def test_a_page_holds_whole_sessions(self, store: Store) -> None:
        whole = session(metadata=b'{"a": "b"}', receipts=b"\x00\xff")
        store.create(whole)
        assert same(store.page(model=None, after=FIRST, limit=1)[0], whole)

    def test_pages_follow_what_comes_and_goes(self, store: Store) -> None:
        for session_id in "abcd":
            store.create(session(session_id))
        store.delete("b")
        store.replace([moved(session("c"))])
        assert _ids(store.page(model=None, after=FIRST, limit=9)) == ["a", "c", "d"]
        store.create(session("b"))
        assert _ids(store.page(model=None, after=FIRST, limit=9)) == ["a", "b", "c", "d"]

    def test_an_id_made_anew_for_another_model_is_listed_there_only(self, store: Store) -> None:
        store.create(session(model="first", created_at=NOW, expires_at=NOW + 10))
        store.create(session(model="second", created_at=NOW + 10, expires_at=NOW + 20))
        assert store.page(model="first", after=FIRST, limit=9) == []
        assert _ids(store.page(model="second", after=FIRST, limit=9)) == ["s"]
        assert store.count(now=NOW) == 1

    def test_counting_the_living(self, store: Store) -> None:
        assert store.count(now=NOW) == 0
        for index in range(5):
            store.create(session(str(index), created_at=NOW, expires_at=NOW + index))
        assert [store.count(now=NOW + at) for at in (-1, 0, 0.5, 1, 3.999, 4)] == [5, 4, 4, 3, 1, 0]
        store.replace([moved(session("1"), expires_at=NOW + 90_000)])
        store.delete("2")
        assert [store.count(now=NOW + at) for at in (0, 3.5, 4, 89_999, 90_000)] == [3, 2, 1, 1, 0]

    def test_purging_removes_what_expired_before(self, store: Store) -> None:
        for index in range(5):
            store.create(session(str(index), created_at=NOW, expires_at=NOW + index))
        assert store.purge(expired_before=NOW + 2, limit=10) == 2
        assert _ids(store.page(model=None, after=FIRST, limit=10)) == ["2", "3", "4"]
        assert store.read(["0"]) == [None]
        assert store.purge(expired_before=NOW + 2, limit=10) == 0
        assert store.count(now=NOW) == 3

    def test_purging_stops_at_its_limit(self, store: Store) -> None:
        for index in range(5):
            store.create(session(str(index), created_at=NOW, expires_at=NOW + index))
        purged = [store.purge(expired_before=NOW + 4, limit=3) for _ in range(3)]
        assert purged == [3, 1, 0]
        assert _ids(store.page(model=None, after=FIRST, limit=10)) == ["4"]

    def test_purging_knows_the_last_use(self, store: Store) -> None:
        store.create(session(created_at=NOW, expires_at=NOW + 10))
        store.replace([moved(session(), expires_at=NOW + 50_000)])
        assert store.purge(expired_before=NOW + 49_999, limit=10) == 0
        assert store.purge(expired_before=NOW + 50_001, limit=10) == 1


def _ids(page: list[Session]) -> list[str]:
    return [one.session_id for one in page]


def _whole(found: Found) -> Session:
    assert isinstance(found, Session)
    return found


def _steps(found: list[Found]) -> list[int | None]:
    return [None if one is None else _whole(one).step for one in found]
