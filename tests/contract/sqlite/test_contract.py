"""The contract, kept by the store in a SQLite file."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from service.stores.sqlite.store import SqliteStore
from service.stores.store import Identity
from tests.contract.damage_contract import Damage, DamageContract
from tests.contract.sqlite.damage import without_checks
from tests.contract.store_contract import StoreContract

_N = "(SELECT n FROM session WHERE tenant = ? AND session_id = ?)"


class TestSqliteStore(StoreContract):
    """On the `store` of this folder."""


class TestSqliteStoreWithFullDurability(StoreContract):
    @pytest.fixture
    def store(self, file: Path) -> Iterator[SqliteStore]:
        with closing(SqliteStore(file, "full")) as store:
            yield store


class TestDamagedSessions(DamageContract):
    @pytest.fixture(
        params=[
            f"UPDATE progress SET state = X'000000' WHERE n = {_N}",
            f"UPDATE progress SET state = 'text' WHERE n = {_N}",
            f"UPDATE progress SET state = NULL WHERE n = {_N}",
            f"UPDATE progress SET step = 1.5 WHERE n = {_N}",
            f"UPDATE progress SET receipts = 'text' WHERE n = {_N}",
            f"UPDATE session SET metadata = 'text' WHERE n = {_N}",
            f"UPDATE progress SET state = CAST(X'FF' AS TEXT) WHERE n = {_N}",
            f"DELETE FROM progress WHERE n = {_N}",
        ]
    )
    def damage(self, file: Path, store: SqliteStore, request: pytest.FixtureRequest) -> Damage:
        del store  # the file is there
        statement: str = request.param

        def damage(identity: Identity) -> None:
            with closing(sqlite3.connect(file, isolation_level=None)) as connection:
                assert connection.execute(statement, identity).rowcount == 1

        without_checks(file)
        return damage
