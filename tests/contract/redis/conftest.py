"""A real Redis for each file of tests, emptied for each test."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from service.stores.redis.partitions import SCHEMAS
from service.stores.redis.store import RedisStore
from service.stores.store import Store
from tests.contract.redis import old_process
from tests.contract.redis.old_process import OldRelease
from tests.contract.redis.stores import PATIENCE_SECONDS, opened
from tests.redis_server import RedisServer, running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Append-only: what it has confirmed survives its death."""
    server = RedisServer(tmp_path_factory.mktemp("redis"), append_only=True)
    with running(server):
        yield server


@pytest.fixture
def timeout_seconds() -> float:
    """How long the store waits for an answer; files of tests with failures make it short."""
    return PATIENCE_SECONDS


@pytest.fixture
def store(server: RedisServer, timeout_seconds: float) -> Iterator[Store]:
    server.ask("FLUSHALL")
    with closing(opened(server.url, timeout_seconds=timeout_seconds)) as store:
        yield store


@pytest.fixture
def old(server: RedisServer) -> Iterator[OldRelease]:
    """At work in a Redis that it has made its own."""
    server.ask("FLUSHALL")
    for key in SCHEMAS:
        server.ask("SET", key, "1")
    with closing(OldRelease(server)) as old:
        assert old.ask("create", "theirs")
        yield old


@pytest.fixture
def beside(server: RedisServer, old: OldRelease) -> Iterator[RedisStore]:
    """A store of this release beside it."""
    with closing(old_process.opened(server)) as store:
        assert not store.counts_changes
        yield store
        assert old.is_running
