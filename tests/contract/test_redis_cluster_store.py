"""The contract, kept by the store in a Redis Cluster of three."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from service.stores.store import Store
from tests.contract.redis_stores import opened
from tests.contract.store_contract import StoreContract
from tests.redis_server import RedisCluster, running


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    cluster = RedisCluster(tmp_path_factory.mktemp("cluster"))
    with running(cluster):
        yield cluster


class TestRedisClusterStore(StoreContract):
    @pytest.fixture
    def store(self, cluster: RedisCluster) -> Iterator[Store]:
        for node in cluster.nodes:
            node.ask("FLUSHALL")
        with closing(opened(cluster.url)) as store:
            yield store
