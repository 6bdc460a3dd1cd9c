"""What every store promises of a session that cannot be read: it concerns nobody else.

A store's own test file subclasses this and gives it a store, and a way to damage what is in it.
"""

from collections.abc import Callable

import pytest

from service.errors import SessionDamaged, SessionExists
from service.stores.store import Identity, Store
from tests.contract.listing_contract import listed
from tests.contract.sessions import (
    CREATED_AT,
    identities,
    moved,
    read,
    replaced,
    same,
    session,
    step,
)

Damage = Callable[[Identity], None]
"""Makes what is stored of a session unreadable."""


class DamageContract:
    """Subclasses define the fixtures `store`, an empty one, and `damage`, a Damage."""

    def test_a_damaged_session_is_named_and_the_others_are_read(
        self, store: Store, damage: Damage
    ) -> None:
        create_three(store, damage)
        first, bad, none, last = store.read(identities("a", "b", "nobody", "c"))
        assert same(first, session("a"))
        assert same(last, session("c"))
        assert none is None
        assert isinstance(bad, SessionDamaged)
        assert (bad.session_id, bad.tenant) == ("b", "")
        assert isinstance(read(store, "b"), SessionDamaged), "alone as well"

    def test_the_error_names_the_tenant(self, store: Store, damage: Damage) -> None:
        store.create(session(tenant="north"))
        damage(Identity("north", "s"))
        found = read(store, tenant="north")
        assert isinstance(found, SessionDamaged)
        assert (found.session_id, found.tenant) == ("s", "north")

    def test_the_others_of_a_group_are_replaced(self, store: Store, damage: Damage) -> None:
        create_three(store, damage)
        pairs = [(session(one), moved(session(one))) for one in "abc"]
        first, _, last = replaced(store, *pairs)
        assert (first, last) == (True, True)
        assert same(read(store, "a"), moved(session("a")))
        assert same(read(store, "c"), moved(session("c")))

    @pytest.mark.parametrize("model", [None, "weather"])
    def test_a_listing_names_it_in_its_place_and_goes_on(
        self, store: Store, damage: Damage, model: str | None
    ) -> None:
        create_three(store, damage)
        first, bad, last = listed(store, model)
        assert same(first, session("a"))
        assert same(last, session("c"))
        assert isinstance(bad, SessionDamaged)
        assert (bad.session_id, bad.model, bad.tenant) == ("b", "weather", "")
        assert len(listed(store, model, limit=2)) == 2
        assert same(listed(store, model, after=("weather", "b"), limit=1)[0], session("c"))

    def test_its_identity_is_taken_until_it_is_removed(self, store: Store, damage: Damage) -> None:
        create_three(store, damage)
        later = session("b", created_at=CREATED_AT + 1e5, expires_at=CREATED_AT + 2e5)
        with pytest.raises(SessionExists):
            store.create(later)
        assert isinstance(read(store, "b"), SessionDamaged)
        assert store.remove(Identity("", "b"))
        assert not store.remove(Identity("", "b"))
        assert read(store, "b") is None
        assert len(listed(store)) == 2
        store.create(later)
        assert same(read(store, "b"), later)
        step(store, later)


def create_three(store: Store, damage: Damage) -> None:
    """Sessions a, b and c, of which b is damaged."""
    for session_id in "abc":
        store.create(session(session_id))
    damage(Identity("", "b"))
