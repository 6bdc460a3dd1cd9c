"""A real Redis for each file of tests, emptied for each test."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from service.stores.store import Store
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
