"""Store URLs: which are understood, and what of them may be read by people."""

import pytest

from service.errors import StoreError
from service.stores.memory import MemoryStore
from service.stores.open import open_store, shown
from service.stores.redis.address import parse
from service.stores.redis.link import Node
from service.stores.store import Store


def opened(url: str) -> Store:
    return open_store(url, "normal", retention_seconds=1.0, timeout_seconds=0.2)


def test_memory() -> None:
    assert isinstance(opened("memory://"), MemoryStore)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "memory",
        "memory://x",
        "redis",
        "redis://",
        "redis:///0",
        "redis://:secret@/0",
        "redis://:secret@host:port/0",
        "redis://:secret@host:99999/0",
        "redis://:secret@host:1/x",
        "redis://:secret@host:1/-1",
        "redis://:secret@host:1/0/1",
        "redis://:secret@host:1,other:2/0",
        "redis://:secret@host:1/0?db=secret",
        "redis://:secret@host:1/0?ssl_ca_certs=secret",
        "rediss://:secret@host:1/0?ssl_password=secret",
        "redis://host?secret=1@host:1/0",
        "redis-cluster://:secret@host:1/0",
        "redis-cluster://:secret@host:1,",
        "redis-cluster://",
        "valkey://:secret@host:1/0",
        "redis:/:secret@host",
        ":secret@host",
    ],
)
def test_other_urls_are_refused_without_their_secrets(url: str) -> None:
    with pytest.raises(StoreError, match="is not understood") as raised:
        opened(url)
    assert "secret" not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("memory://", "memory://"),
        ("sqlite:////data/a@b:c?d.db", "sqlite:////data/a@b:c?d.db"),
        ("redis://host:1/0", "redis://host:1/0"),
        ("redis://:secret@host:1/0", "redis://:***@host:1/0"),
        ("redis://user:secret@host:1/0", "redis://user:***@host:1/0"),
        ("redis://secret@host:1/0", "redis://***@host:1/0"),
        ("redis://user:sec/r?et@x@host:1/0", "redis://user:***@host:1/0"),
        ("rediss://host/0?ssl_certfile=secret", "rediss://host/0?***"),
        ("redis-cluster://u:secret@a:1,b:2", "redis-cluster://u:***@a:1,b:2"),
        ("typo://u:secret@a:1?secret", "typo://u:***@a:1?***"),
        ("redis:u:secret@a", "***"),
    ],
)
def test_people_see_no_password(url: str, expected: str) -> None:
    assert shown(url) == expected


def test_the_parts_of_a_url() -> None:
    address = parse("redis://u%3A:p%40%2F@[::1]:7000/3", 1.5)
    assert address.nodes == [Node("::1", 7000)]
    assert not address.cluster
    assert not address.access.tls
    assert address.access.timeout_seconds == 1.5
    assert address.access.options == {"username": "u:", "password": "p@/", "db": 3}


def test_what_may_be_left_out() -> None:
    address = parse("redis://localhost", 1.0)
    assert address.nodes == [Node("localhost", 6379)]
    assert address.access.options == {"username": None, "password": None, "db": 0}


def test_a_cluster_over_tls() -> None:
    address = parse("rediss-cluster://:word@a:1,b,c:3?ssl_ca_certs=/ca.pem", 1.0)
    assert address.nodes == [Node("a", 1), Node("b", 6379), Node("c", 3)]
    assert address.cluster
    assert address.access.tls
    assert address.access.options["ssl_ca_certs"] == "/ca.pem"
    assert address.access.options["password"] == "word"
