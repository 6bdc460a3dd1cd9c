"""What every store promises of listings; a part of `StoreContract`."""

import time

from service.stores.store import Listed, Position, Store
from tests.contract.sessions import blobs, finished, replaced, same, session, step, whole

MODELS = ("co2", "co2-deep", "characters")
FIRST: Position = ("", "")
NOW = time.time()


class ListingContract:
    def test_pages_are_ordered_and_complete(self, store: Store) -> None:
        ids = ["b", "B", "a", "10", "9", "~", "aa", "a.b", "a-b", "\uffff", "\U00010000"]
        for index, session_id in enumerate(ids):
            store.create(session(session_id, model=MODELS[index % 3]))
        found: list[Position] = []
        while page := listed(store, after=found[-1] if found else FIRST, limit=2):
            assert len(page) == 2 or len(found) + len(page) == len(ids)
            found += [(whole(one).model, whole(one).session_id) for one in page]
        assert found == sorted((MODELS[index % 3], one) for index, one in enumerate(ids))

    def test_pages_of_one_model(self, store: Store) -> None:
        for index in range(6):
            store.create(session(str(index), model="even" if index % 2 == 0 else "odd"))
        assert ids_of(listed(store, "odd")) == ["1", "3", "5"]
        assert ids_of(listed(store, "odd", after=("odd", "1"), limit=1)) == ["3"]
        assert ids_of(listed(store, "odd", after=("even", "9"), limit=1)) == ["1"]
        assert listed(store, "odd", after=("odd", "5"), limit=1) == []
        assert listed(store, "nobody") == []
        assert listed(store, "od") == []

    def test_pages_are_of_one_tenant(self, store: Store) -> None:
        for tenant in ("", "a", "b"):
            for model in ("co2", "letters"):
                for session_id in ("1", "2"):
                    store.create(session(model + session_id, tenant=tenant, model=model))
        for tenant in ("", "a", "b"):
            page = listed(store, tenant=tenant)
            assert ids_of(page) == ["co21", "co22", "letters1", "letters2"]
            assert {whole(one).tenant for one in page} == {tenant}
            assert ids_of(listed(store, "letters", tenant=tenant)) == ["letters1", "letters2"]
            behind = listed(store, tenant=tenant, after=("co2", "co21"), limit=2)
            assert ids_of(behind) == ["co22", "letters1"]
        assert listed(store, tenant="c") == []

    def test_a_page_holds_whole_sessions(self, store: Store) -> None:
        full = session("s", **blobs(), fell_back_from=3)
        store.create(full)
        assert same(listed(store)[0], full)

    def test_a_session_from_a_page_can_be_replaced(self, store: Store) -> None:
        store.create(session())
        after = step(store, whole(listed(store)[0]))
        assert same(listed(store)[0], after)

    def test_pages_follow_what_comes_and_goes(self, store: Store) -> None:
        for session_id in "abcd":
            store.create(session(session_id))
        store.remove(session("b").identity)
        step(store, session("c"))
        assert ids_of(listed(store)) == ["a", "c", "d"]
        store.create(session("b"))
        assert ids_of(listed(store)) == ["a", "b", "c", "d"]

    def test_expired_ones_and_tombstones_are_listed_too(self, store: Store) -> None:
        for session_id in "abc":
            store.create(session(session_id, created_at=NOW, expires_at=NOW + 1))
        tombstone = finished(session("b", created_at=NOW), at=NOW)
        assert replaced(store, (session("b"), tombstone)) == [True]
        page = listed(store)
        assert ids_of(page) == ["a", "b", "c"]
        assert same(page[1], tombstone)

    def test_an_id_made_anew_for_another_model_is_listed_there_only(self, store: Store) -> None:
        store.create(session(model="first", created_at=NOW, expires_at=NOW + 10))
        store.create(session(model="second", created_at=NOW + 10, expires_at=NOW + 20))
        assert listed(store, "first") == []
        assert ids_of(listed(store, "second")) == ["s"]
        assert store.count(now=NOW) == 1


def listed(
    store: Store,
    model: str | None = None,
    *,
    tenant: str = "",
    after: Position = FIRST,
    limit: int = 100,
) -> list[Listed]:
    return store.page(tenant=tenant, model=model, after=after, limit=limit)


def ids_of(page: list[Listed]) -> list[str]:
    return [one.session_id for one in page]
