"""Keys and records in the middle of the sessions that are not of this release."""

import re

import pytest

from service.errors import StoreError
from service.stores.redis.partitions import home_of
from service.stores.store import Store
from tests.contract.redis.stores import created
from tests.contract.sessions import moved, same, session
from tests.redis_server import RedisServer


def test_a_foreign_key_in_a_group(server: RedisServer, store: Store) -> None:
    sessions = created(store, *"abc")
    server.ask("DEL", home_of("b").key)
    server.ask("RPUSH", home_of("b").key, "foreign")
    outcomes = store.replace([moved(one) for one in sessions])
    assert [outcomes[0], outcomes[2]] == [True, True]
    assert isinstance(outcomes[1], StoreError)
    assert re.search("WRONGTYPE.*another application", str(outcomes[1]))
    with pytest.raises(StoreError, match="another application"):
        store.create(session("b"))
    with pytest.raises(StoreError, match="another application"):
        store.delete("b")
    assert server.ask("LRANGE", home_of("b").key, 0, -1) == [b"foreign"]


def test_a_record_of_a_later_format(server: RedisServer, store: Store) -> None:
    sessions = created(store, *"abc")
    later = b"\x02" + server.ask("GET", home_of("b").key)[1:]
    server.ask("SET", home_of("b").key, later)
    found = store.read(list("abc"))
    assert all(map(same, found[::2], sessions[::2]))
    assert isinstance(found[1], StoreError)
    assert "format 2" in str(found[1])
    assert store.replace([moved(sessions[1])]) == [False]
    for call in (lambda: store.delete("b"), lambda: store.create(session("b", created_at=1e11))):
        with pytest.raises(StoreError, match=r"FORMAT 2.*newer release"):
            call()
    assert store.purge(1e12, limit=10) == 2
    assert server.ask("GET", home_of("b").key) == later
