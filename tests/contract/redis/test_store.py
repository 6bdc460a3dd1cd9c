"""The contract, kept by the store in Redis."""

import pytest

from service.stores.redis.partitions import home_of
from tests.contract.damage_contract import Damage, DamageContract
from tests.contract.redis.stores import DAMAGES, damage_record
from tests.contract.store_contract import StoreContract
from tests.redis_server import RedisServer


class TestRedisStore(StoreContract):
    """On the `store` of this folder."""


class TestDamage(DamageContract):
    """On the `store` of this folder."""

    @pytest.fixture(params=DAMAGES)
    def damage(self, server: RedisServer, request: pytest.FixtureRequest) -> Damage:
        return lambda identity: damage_record(server, home_of(*identity).key, request.param)
