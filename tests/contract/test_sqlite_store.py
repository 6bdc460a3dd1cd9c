"""The contract, kept by the store in a SQLite file; and what is a file's alone."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Literal

import pytest

from service.errors import StoreError
from service.stores.open import open_store
from service.stores.sqlite import SqliteStore
from tests.contract.sessions import moved, same, session
from tests.contract.store_contract import StoreContract


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sessions.db"


class TestSqliteStore(StoreContract):
    @pytest.fixture
    def store(self, file: Path) -> Iterator[SqliteStore]:
        with closing(SqliteStore(file)) as store:
            yield store


class TestSqliteStoreWithFullDurability(StoreContract):
    @pytest.fixture
    def store(self, file: Path) -> Iterator[SqliteStore]:
        with closing(SqliteStore(file, "full")) as store:
            yield store


@pytest.mark.parametrize("durability", ["normal", "full"])
def test_reopening_keeps_everything(file: Path, durability: Literal["normal", "full"]) -> None:
    sessions = [session(str(index), step=index) for index in range(10)]
    with closing(SqliteStore(file, durability)) as store:
        for one in sessions:
            store.create(one)
        store.replace([moved(sessions[3])])
        store.delete("4")
    with closing(SqliteStore(file, durability)) as store:
        found = store.page(model=None, after="", limit=100)
    assert [one.step for one in found] == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert same(found[3], moved(sessions[3]))


@pytest.mark.parametrize(("durability", "synchronous"), [("normal", 1), ("full", 2)])
def test_commits_wait_for_the_disk_as_asked(
    file: Path, durability: Literal["normal", "full"], synchronous: int
) -> None:
    """Losing power cannot be tested here; what SQLite promises for these settings can be read."""
    with closing(SqliteStore(file, durability)) as store:
        assert store._pragma("synchronous") == synchronous
        assert store._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_url_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for url, name in {
        "sqlite:///relative.db": tmp_path / "relative.db",
        f"sqlite:///{tmp_path}/absolute.db": tmp_path / "absolute.db",
        "sqlite:///with%20space.db": tmp_path / "with space.db",
    }.items():
        open_store(url, "normal").close()
        assert name.is_file()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "memory",
        "memory://x",
        "sqlite://",
        "sqlite:///",
        "sqlite://host/x",
        "sqlite:///:memory:",
        "redis://x",
    ],
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(StoreError, match="is not understood"):
        open_store(url, "normal")


def refused(file: Path, words: str) -> None:
    """Opening fails with these words, and changes no byte of the file."""
    before = file.read_bytes()
    with pytest.raises(StoreError, match=words) as raised:
        SqliteStore(file)
    assert str(file) in str(raised.value)
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_a_database_of_another_application(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE sessions (session_id TEXT)")
    refused(file, "is a database of another application; choose another file")


def test_a_database_of_another_application_in_wal_mode(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE sessions (session_id TEXT)")
    refused(file, "is a database of another application")


def test_a_database_that_another_application_marked(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA application_id = 1234")
    refused(file, "is a database of another application")


@pytest.mark.parametrize("version", [0, 2, 99])
def test_another_schema_version(file: Path, version: int) -> None:
    SqliteStore(file).close()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    refused(file, f"has schema version {version}, this release needs 1")


@pytest.mark.parametrize("content", [b"not a database\n" * 100, b"\x00" * 4096])
def test_a_file_that_is_no_database(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    refused(file, "file is not a database")


def test_an_empty_file_becomes_a_store(file: Path) -> None:
    file.touch()
    with closing(SqliteStore(file)) as store:
        store.create(session())


def test_a_folder_in_place_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="unable to open database file"):
        SqliteStore(tmp_path)


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="unable to open database file") as raised:
        SqliteStore(tmp_path / "nowhere" / "sessions.db")
    assert str(tmp_path / "nowhere") in str(raised.value)
    assert not (tmp_path / "nowhere").exists()
