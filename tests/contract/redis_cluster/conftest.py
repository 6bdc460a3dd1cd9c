"""A real Redis Cluster of three for each file of tests, emptied for each test."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from service.stores.store import Store
from tests.contract.redis.stores import PATIENCE_SECONDS, opened
from tests.redis_server import RedisCluster, running


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    """Append-only: what it has confirmed survives its death."""
    cluster = RedisCluster(tmp_path_factory.mktemp("cluster"), append_only=True)
    with running(cluster):
        yield cluster


@pytest.fixture
def timeout_seconds() -> float:
    """How long the store waits for an answer; files of tests with failures make it short."""
    return PATIENCE_SECONDS


@pytest.fixture
def store(cluster: RedisCluster, timeout_seconds: float) -> Iterator[Store]:
    for node in cluster.nodes:
        node.ask("FLUSHALL")
    with closing(opened(cluster.url, timeout_seconds=timeout_seconds)) as store:
        yield store
