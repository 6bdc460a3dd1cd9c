"""The contract, kept by the store in Redis."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from service.stores.store import Store
from tests.contract.redis_stores import opened
from tests.contract.store_contract import StoreContract
from tests.redis_server import RedisServer, running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    with running(server):
        yield server


class TestRedisStore(StoreContract):
    @pytest.fixture
    def store(self, server: RedisServer) -> Iterator[Store]:
        server.ask("FLUSHALL")
        with closing(opened(server.url)) as store:
            yield store
