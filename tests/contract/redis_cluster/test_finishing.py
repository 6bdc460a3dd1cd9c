"""The end of a rolling upgrade, on a cluster."""

from contextlib import closing

import pytest

from service.errors import StoreError
from service.stores.redis.partitions import SCHEMAS
from service.stores.redis.store import RedisStore
from tests.contract.listing_contract import listed
from tests.contract.redis.stores import PATIENCE_SECONDS, created, opened
from tests.contract.sessions import moved, read, replaced, same, session
from tests.redis_server import RedisCluster

IDS = [str(number) for number in range(60)]


def test_an_upgrade_waits_for_a_node_that_is_down(cluster: RedisCluster) -> None:
    for node in cluster.nodes:
        node.ask("FLUSHALL")
    for key in SCHEMAS:
        cluster.owner(key).ask("SET", key, "1")
    with closing(opened(cluster.url, timeout_seconds=PATIENCE_SECONDS)) as store:
        assert isinstance(store, RedisStore)
        assert not store.counts_changes
        sessions = created(store, *IDS)
        node = cluster.nodes[2]
        node.kill()
        try:
            with pytest.raises(StoreError, match="cannot be reached"):
                store.finish_upgrade()
        finally:
            node.start()
        cluster.wait_until_whole()
        assert store.finish_upgrade() == len(IDS)
        assert {cluster.owner(key).ask("GET", key) for key in SCHEMAS} == {b"2"}
        pairs = [(one, moved(one)) for one in sessions]
        assert replaced(store, *pairs) == [True] * len(IDS)
        assert len(listed(store)) == len(IDS)
        store.create(session(tenant="north"))
        assert same(read(store, tenant="north"), session(tenant="north"))
