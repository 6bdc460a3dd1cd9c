"""The contract, kept by the store in a Redis Cluster of three."""

from tests.contract.store_contract import StoreContract


class TestRedisClusterStore(StoreContract):
    """On the `store` of this folder."""
