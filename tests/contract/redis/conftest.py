"""A real Redis for each file of tests, emptied for each test."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from service.stores.store import Store
from tests.contract.redis.stores import opened
from tests.redis_server import RedisServer, running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Append-only: what it has confirmed survives its death."""
    server = RedisServer(tmp_path_factory.mktemp("redis"), append_only=True)
    with running(server):
        yield server


@pytest.fixture
def store(server: RedisServer) -> Iterator[Store]:
    server.ask("FLUSHALL")
    with closing(opened(server.url)) as store:
        yield store
