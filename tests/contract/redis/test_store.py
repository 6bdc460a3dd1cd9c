"""The contract, kept by the store in Redis."""

from tests.contract.store_contract import StoreContract


class TestRedisStore(StoreContract):
    """On the `store` of this folder."""
