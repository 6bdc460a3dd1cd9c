"""What every store promises. A store's own test file subclasses this and gives it a store."""

import time

import numpy as np
import pytest

from service.errors import SessionExists
from service.stores.store import Identity, Store
from tests.contract.advance_contract import AdvanceContract
from tests.contract.listing_contract import ListingContract
from tests.contract.sessions import (
    blobs,
    finished,
    found_in,
    identities,
    moved,
    read,
    replaced,
    same,
    session,
    step,
    steps,
    whole,
)
from tests.contract.upkeep_contract import UpkeepContract

MANY = 1201
"""More than any limit on bound variables that a database has had."""

NOW = time.time()
"""Stores that forget by themselves go by the real clock."""

EVERYTHING = {**blobs(), "fell_back_from": 2**40, "tenant": "north"}


class StoreContract(AdvanceContract, ListingContract, UpkeepContract):
    """Subclasses define the fixture `store`: an empty one."""

    def test_a_created_session_is_read_unchanged(self, store: Store) -> None:
        store.create(session())
        assert same(read(store), session())

    def test_every_field_of_a_session_is_kept(self, store: Store) -> None:
        full = session("s", **EVERYTHING)
        store.create(full)
        assert same(read(store, tenant="north"), full)
        after = step(store, full, fell_back_from=None, receipts=b"", writers=b"\x01")
        assert same(read(store, tenant="north"), after)

    def test_a_clone_for_a_thread_leads_to_the_same_sessions(self, store: Store) -> None:
        other = store.clone_for_thread()
        if other is None:  # more threads would win nothing
            return
        store.create(session())
        assert same(read(other), session())
        after = step(other, session())
        assert replaced(store, (session(), after)) == [False]
        other.close()
        assert same(read(store), after)

    def test_an_identity_is_created_once(self, store: Store) -> None:
        store.create(session())
        with pytest.raises(SessionExists, match="'s'"):
            store.create(session(model="other", step=0, revision=1))
        assert same(read(store), session())

    def test_an_expired_one_is_created_anew_and_a_live_one_is_not(self, store: Store) -> None:
        first = session(
            "s", created_at=NOW, expires_at=NOW + 10, state=np.ones(2, np.float32), **blobs()
        )
        store.create(first)
        with pytest.raises(SessionExists):
            store.create(session(created_at=NOW + 9.9, expires_at=NOW + 20))
        assert same(read(store), first)
        second = session(model="other", revision=9, created_at=NOW + 10, expires_at=NOW + 20)
        store.create(second)
        assert same(read(store), second)
        assert replaced(store, (first, moved(first))) == [False], "the old one is gone"
        with pytest.raises(SessionExists):
            store.create(session(created_at=NOW + 15, expires_at=NOW + 25))

    def test_sessions_of_tenants_know_nothing_of_each_other(self, store: Store) -> None:
        ours, theirs = session(tenant="a", step=1), session(tenant="b", step=2)
        for one in (session(), ours, theirs):
            store.create(one)
        after = step(store, theirs)
        wanted = [Identity("b", "s"), Identity("", "s"), Identity("c", "s"), Identity("a", "s")]
        found = store.read(wanted)
        assert found[2] is None
        assert same(found[0], after)
        assert same(found[1], session())
        assert same(found[3], ours)
        assert store.remove(Identity("a", "s"))
        assert [one is None for one in store.read(wanted)] == [False, False, True, True]

    def test_a_tenant_and_an_id_are_not_taken_for_another_pair(self, store: Store) -> None:
        pairs = [("a", "bc"), ("ab", "c"), ("", "abc"), ("a:", "bc"), ("a", ":bc"), ("A", "bc")]
        for index, (tenant, session_id) in enumerate(pairs):
            store.create(session(session_id, tenant=tenant, step=index))
        found = store.read([Identity(*pair) for pair in pairs])
        assert [whole(one).step for one in found] == list(range(len(pairs)))

    def test_ids_differ_by_case_and_by_every_character(self, store: Store) -> None:
        ids = ["a", "A", "a ", "ä", "a\u0308", "a\x00", "a%", "a_", "'", '"', "1", "01"]
        for index, session_id in enumerate(ids):
            store.create(session(session_id, step=index))
        found = store.read(identities(*ids))
        assert [whole(one).step for one in found] == list(range(len(ids)))

    def test_reads_come_in_the_order_of_their_identities(self, store: Store) -> None:
        for session_id in "abc":
            store.create(session(session_id))
        found = store.read(identities("c", "nobody", "a", "c", "b"))
        assert [one and whole(one).session_id for one in found] == ["c", None, "a", "c", "b"]

    def test_nothing_gives_nothing(self, store: Store) -> None:
        assert store.read([]) == []
        assert store.replace([], []) == []

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
        assert same(read(store), session(state=state))
        step(store, session(), state=state[::-1].copy())
        assert found_in(store).state.tobytes() == state[::-1].tobytes()

    def test_a_wide_state(self, store: Store) -> None:
        state = np.random.default_rng(0).normal(size=5000).astype(np.float32)
        store.create(session(state=state))
        assert same(read(store), session(state=state))

    def test_large_counts_and_times(self, store: Store) -> None:
        large = session(
            step=2**60,
            changes=2**60 + 1,
            revision=2**63 - 1,
            fell_back_from=2**62 + 1,
            expires_at=1e12,
            ttl_seconds=1e-9,
        )
        store.create(large)
        assert same(read(store), large)
        after = moved(large, revision=2**63 - 2, expires_at=CLOSE_TO_1E12)
        assert replaced(store, (large, after)) == [True]
        assert same(read(store), after)

    def test_what_was_not_counted_stays_so(self, store: Store) -> None:
        store.create(session(changes=0))
        assert same(read(store), session(changes=0))

    def test_replacing_takes_exactly_the_expected_revision(self, store: Store) -> None:
        before = session(revision=2**62 + 5)
        store.create(before)
        after = moved(
            before,
            version=4,
            expires_at=1_800_000_000.5,
            ttl_seconds=3.5,
            receipts=b"\x00\xff",
            writers=b"\xff\x00",
            fell_back_from=0,
        )
        for wrong in (0, 5, before.revision - 1, before.revision + 1, after.revision, 2**63 - 1):
            assert store.replace([after], [wrong]) == [False]
            assert same(read(store), before)
        assert store.replace([after], [before.revision]) == [True]
        assert same(read(store), after)

    def test_a_session_that_was_read_is_replaced_like_one_that_was_written(
        self, store: Store
    ) -> None:
        for one in (session("a"), session("b", tenant="t")):
            store.create(one)
        found = [whole(one) for one in store.read([Identity("", "a"), Identity("t", "b")])]
        once = steps(store, found)
        assert same(read(store, "b", tenant="t"), moved(session("b", tenant="t")))
        twice = steps(store, once)
        assert same(read(store, "a"), moved(moved(session("a"))))
        steps(store, [twice[0], moved(moved(session("b", tenant="t")))])

    def test_the_same_replacement_succeeds_once(self, store: Store) -> None:
        store.create(session())
        after = step(store, session())
        assert replaced(store, (session(), after)) == [False]
        assert replaced(store, (after, moved(after)), (after, moved(after))) == [True, False]
        assert same(read(store), moved(after))

    def test_a_group_may_move_a_session_on_and_on(self, store: Store) -> None:
        first = session()
        store.create(first)
        second, third = moved(first), moved(moved(first))
        assert replaced(store, (first, second), (second, third)) == [True, True]
        assert same(read(store), third)

    def test_what_is_not_there_is_not_replaced(self, store: Store) -> None:
        assert replaced(store, (session(), moved(session()))) == [False]
        assert read(store) is None

    def test_losers_of_a_group_do_not_touch_the_others(self, store: Store) -> None:
        before = {one: session(one) for one in "abcde"}
        for one in before.values():
            store.create(one)
        step(store, before["b"], step=100)
        store.remove(before["d"].identity)
        outcomes = replaced(store, *((one, moved(one)) for one in before.values()))
        assert outcomes == [True, False, True, False, True]
        found = store.read(identities(*"abcde"))
        assert [one and whole(one).step for one in found] == [8, 100, 8, None, 8]

    def test_one_that_was_made_anew_is_another_session(self, store: Store) -> None:
        store.create(session())
        old = found_in(store)
        store.remove(old.identity)
        new = session(revision=77)
        store.create(new)
        assert replaced(store, (old, moved(old))) == [False]
        assert same(read(store), new)

    def test_another_one_in_the_old_place_of_one_is_left_alone(self, store: Store) -> None:
        """A database may give a row's number again."""
        store.create(session("a"))
        old = found_in(store, "a")
        store.remove(old.identity)
        store.create(session("b"))
        assert replaced(store, (old, moved(old))) == [False]
        assert read(store, "a") is None
        assert same(read(store, "b"), session("b"))

    @pytest.mark.parametrize("size", [1, 2, 500, 501, MANY])
    def test_groups_of_any_size(self, store: Store, size: int) -> None:
        sessions = [session(f"{index:05}", step=index) for index in range(size)]
        for one in sessions:
            store.create(one)
        steps(store, sessions)
        found = store.read([one.identity for one in reversed(sessions)])
        assert [whole(one).step for one in found] == list(range(size, 0, -1))

    def test_a_finished_session_is_kept_as_such(self, store: Store) -> None:
        store.create(session("s", **blobs()))
        before = found_in(store)
        after = finished(before, at=NOW)
        assert replaced(store, (before, after)) == [True]
        assert same(read(store), after)
        assert replaced(store, (before, moved(before))) == [False]

    def test_a_session_is_finished_in_a_group_in_which_others_lose(self, store: Store) -> None:
        before = [session(one, **blobs()) for one in "abc"]
        for one in before:
            store.create(one)
        step(store, before[0])
        after = [finished(one, at=NOW) for one in before]
        assert replaced(store, *zip(before, after, strict=True)) == [False, True, True]
        assert same(read(store, "a"), moved(before[0]))
        assert same(read(store, "b"), after[1])
        assert same(read(store, "c"), after[2])

    def test_a_finished_session_makes_way_for_a_new_one(self, store: Store) -> None:
        store.create(session(created_at=NOW, expires_at=NOW + 50))
        replaced(store, (session(), finished(session(), at=NOW + 5)))
        with pytest.raises(SessionExists):
            store.create(session(created_at=NOW + 4, expires_at=NOW + 60, revision=8))
        new = session(created_at=NOW + 5, expires_at=NOW + 60, revision=9)
        store.create(new)
        assert same(read(store), new)

    def test_removing_is_done_once(self, store: Store) -> None:
        store.create(session("a"))
        store.create(session("b"))
        assert store.remove(Identity("", "a"))
        assert not store.remove(Identity("", "a"))
        assert not store.remove(Identity("t", "b"))
        assert read(store, "a") is None
        assert same(read(store, "b"), session("b"))

    def test_a_tombstone_can_be_removed(self, store: Store) -> None:
        store.create(session())
        replaced(store, (session(), finished(session())))
        assert store.remove(session().identity)
        assert read(store) is None

    def test_what_was_removed_can_be_created_again(self, store: Store) -> None:
        store.create(session("s", model="first", **blobs()))
        store.remove(session().identity)
        store.create(session(model="second"))
        assert same(read(store), session(model="second"))


CLOSE_TO_1E12 = float(np.nextafter(1e12, 0))
