"""The contract, kept by the store in a Redis Cluster of three."""

import pytest

from service.stores.redis.partitions import home_of
from service.stores.store import Identity
from tests.contract.damage_contract import Damage, DamageContract
from tests.contract.redis.stores import damage_record
from tests.contract.store_contract import StoreContract
from tests.redis_server import RedisCluster


class TestRedisClusterStore(StoreContract):
    """On the `store` of this folder."""


class TestDamage(DamageContract):
    """On the `store` of this folder."""

    @pytest.fixture
    def damage(self, cluster: RedisCluster) -> Damage:
        def cut(identity: Identity) -> None:
            key = home_of(*identity).key
            damage_record(cluster.owner(key), key, "cut off")

        return cut
