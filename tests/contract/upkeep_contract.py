"""What every store promises of counts, forgetting and its clock; a part of `StoreContract`."""

import time

import pytest

from service.stores.store import Store
from tests.contract.listing_contract import ids_of, listed
from tests.contract.sessions import finished, read, replaced, session, step

NOW = time.time()


class UpkeepContract:
    def test_counting_the_living(self, store: Store) -> None:
        assert store.count(now=NOW) == 0
        for index in range(5):
            store.create(session(str(index), created_at=NOW, expires_at=NOW + index))
        assert [store.count(now=NOW + at) for at in (-1, 0, 0.5, 1, 3.999, 4)] == [5, 4, 4, 3, 1, 0]
        step(store, session("1"), expires_at=NOW + 90_000)
        store.remove(session("2").identity)
        assert [store.count(now=NOW + at) for at in (0, 3.5, 4, 89_999, 90_000)] == [3, 2, 1, 1, 0]

    def test_counting_goes_over_all_tenants_and_leaves_out_tombstones(self, store: Store) -> None:
        for tenant in ("", "a", "b"):
            store.create(session(tenant=tenant, created_at=NOW, expires_at=NOW + 90))
        assert store.count(now=NOW + 1) == 3
        before = session(tenant="a")
        assert replaced(store, (before, finished(before, at=NOW + 1))) == [True]
        assert store.count(now=NOW + 1) == 2

    def test_a_life_that_is_shortened_is_counted_so(self, store: Store) -> None:
        store.create(session(created_at=NOW, expires_at=NOW + 90_000))
        after = step(store, session(), expires_at=NOW + 2)
        assert [store.count(now=NOW + at) for at in (1, 2, 80_000)] == [1, 0, 0]
        step(store, after, expires_at=NOW + 90_000)
        assert [store.count(now=NOW + at) for at in (1, 2, 80_000)] == [1, 1, 1]

    def test_purging_removes_what_expired_before(self, store: Store) -> None:
        for index in range(5):
            store.create(session(str(index), created_at=NOW, expires_at=NOW + index))
        assert store.purge(expired_before=NOW + 2, limit=10) == 2
        assert ids_of(listed(store)) == ["2", "3", "4"]
        assert read(store, "0") is None
        assert store.purge(expired_before=NOW + 2, limit=10) == 0
        assert store.count(now=NOW) == 3

    def test_purging_takes_tombstones_and_sessions_of_all_tenants(self, store: Store) -> None:
        for tenant in ("", "a", "b"):
            store.create(session(tenant=tenant, created_at=NOW, expires_at=NOW + 50))
        before = session(tenant="a")
        assert replaced(store, (before, finished(before, at=NOW + 1))) == [True]
        assert store.purge(expired_before=NOW + 2, limit=10) == 1
        assert read(store, tenant="a") is None
        assert store.purge(expired_before=NOW + 51, limit=10) == 2

    def test_purging_stops_at_its_limit(self, store: Store) -> None:
        for index in range(5):
            store.create(session(str(index), created_at=NOW, expires_at=NOW + index))
        purged = [store.purge(expired_before=NOW + 4, limit=3) for _ in range(3)]
        assert purged == [3, 1, 0]
        assert ids_of(listed(store)) == ["4"]

    def test_purging_knows_the_last_use(self, store: Store) -> None:
        store.create(session(created_at=NOW, expires_at=NOW + 10))
        step(store, session(), expires_at=NOW + 50_000)
        assert store.purge(expired_before=NOW + 49_999, limit=10) == 0
        assert store.purge(expired_before=NOW + 50_001, limit=10) == 1

    def test_a_purged_identity_can_be_created_again(self, store: Store) -> None:
        store.create(session(created_at=NOW, expires_at=NOW + 1))
        assert store.purge(expired_before=NOW + 2, limit=10) == 1
        store.create(session(model="second"))
        assert ids_of(listed(store, "second")) == ["s"]

    def test_sessions_are_written_with_their_changes(self, store: Store) -> None:
        assert store.counts_changes

    def test_the_clock_shows_the_present_and_goes_on(self, store: Store) -> None:
        assert store.now() == pytest.approx(time.time(), abs=5)
        first = store.now()
        assert store.clock_held is None
        store.refresh_clock()
        store.accept_clock()
        store.refresh_clock()
        assert store.clock_held is None
        assert first - 0.1 <= store.now() == pytest.approx(time.time(), abs=5)
