"""Keys and records in the middle of the sessions that are not of this release."""

import re

import pytest

from service.errors import SessionDamaged, SessionExists, StoreError
from service.stores.redis.partitions import EXPIRIES, LISTINGS, home_of
from service.stores.store import Store
from tests.contract.listing_contract import ids_of, listed
from tests.contract.redis.stores import DAMAGES, created, damage_record
from tests.contract.sessions import identities, moved, replaced, same, session
from tests.redis_server import RedisServer

KEY = home_of("", "b").key


def test_a_foreign_key_in_a_group(server: RedisServer, store: Store) -> None:
    sessions = created(store, *"abc")
    server.ask("DEL", KEY)
    server.ask("RPUSH", KEY, "foreign")
    outcomes = replaced(store, *((one, moved(one)) for one in sessions))
    assert [outcomes[0], outcomes[2]] == [True, True]
    assert isinstance(outcomes[1], StoreError)
    assert re.search("WRONGTYPE.*another application", str(outcomes[1]))
    with pytest.raises(StoreError, match="another application"):
        store.create(session("b"))
    with pytest.raises(StoreError, match="another application"):
        store.remove(session("b").identity)
    assert server.ask("LRANGE", KEY, 0, -1) == [b"foreign"]


def test_a_record_of_a_later_format(server: RedisServer, store: Store) -> None:
    sessions = created(store, *"abc")
    later = b"\x03" + server.ask("GET", KEY)[1:]
    server.ask("SET", KEY, later)
    found = store.read(identities(*"abc"))
    assert all(map(same, found[::2], sessions[::2]))
    assert isinstance(found[1], SessionDamaged)
    assert "format 3" in str(found[1])
    assert "newer release" in str(found[1])
    assert replaced(store, (sessions[1], moved(sessions[1]))) == [False]
    with pytest.raises(SessionExists):
        store.create(session("b", created_at=1e11, expires_at=2e11))
    assert store.purge(1e12, limit=10) == 2
    assert store.purge(1e12, limit=10) == 0
    assert server.ask("GET", KEY) == later


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_record_is_purged_when_it_would_have_been(
    server: RedisServer, store: Store, kind: str
) -> None:
    created(store, *"abc")
    damage_record(server, KEY, kind)
    assert store.purge(session().expires_at, limit=10) == 0
    left = kind == "of an unknown format"
    assert store.purge(session().expires_at + 1, limit=10) == 3 - left
    assert server.ask("EXISTS", KEY) == left


def test_what_cannot_be_purged_does_not_hide_what_can(server: RedisServer, store: Store) -> None:
    """More than are asked for at once, in front of their partition."""
    partition = home_of("", "b").partition
    ids = [one for one in map(str, range(20_000)) if home_of("", one).partition == partition][:60]
    for number, one in enumerate(ids):
        store.create(session(one, expires_at=session().expires_at + number))
        if number < 50:
            damage_record(server, home_of("", one).key, "of an unknown format")
    assert store.purge(session().expires_at + 100, limit=5) == 5
    assert store.purge(session().expires_at + 100, limit=1000) == 5
    assert ids_of(listed(store)) == sorted(ids[:50])


def test_places_that_are_none(server: RedisServer, store: Store) -> None:
    sessions = created(store, *"abc")
    for name in (b"", b"no zero", b"\xff\x00", b"weather\x00elsewhere"):
        server.ask("ZADD", LISTINGS[home_of("", "a").partition], 0, name)
        server.ask("ZADD", EXPIRIES[home_of("", "a").partition], 0, name)
    assert all(map(same, listed(store), sessions))
    assert store.remove(session("c").identity)
    assert store.purge(session().expires_at + 1, limit=100) == 2
    assert listed(store) == []


def test_a_record_of_another_session(server: RedisServer, store: Store) -> None:
    first, _ = created(store, "a", "b")
    server.ask("SET", KEY, server.ask("GET", home_of("", "a").key))
    found = store.read(identities("a", "b"))
    assert same(found[0], first)
    assert isinstance(found[1], SessionDamaged)
    assert found[1].session_id == "b"
    assert "is that of session 'a'" in str(found[1])
    assert store.remove(session("b").identity)
    assert same(store.read(identities("a"))[0], first)
    assert ids_of(listed(store)) == ["a"]
