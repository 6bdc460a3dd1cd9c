"""A new file of sessions for each test."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from service.stores.sqlite.store import SqliteStore


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sessions.db"


@pytest.fixture
def store(file: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(file)) as store:
        yield store
