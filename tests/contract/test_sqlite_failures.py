"""SQLite files that several connections share, that are full, or that may not be written."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from service.errors import SessionExists, StoreError
from service.stores.sqlite import SqliteStore
from tests.contract.sessions import moved, same, session


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sessions.db"


@pytest.fixture
def store(file: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(file)) as store:
        yield store


def test_connections_see_each_others_commits(file: Path, store: SqliteStore) -> None:
    with closing(SqliteStore(file)) as other:
        store.create(session())
        assert same(other.read(["s"])[0], session())
        with pytest.raises(SessionExists):
            other.create(session())
        assert other.replace([moved(session())]) == [True]
        assert store.replace([moved(session())]) == [False]
        assert same(store.read(["s"])[0], moved(session()))


RACE = """
import sys
from dataclasses import replace
from pathlib import Path
from service.stores.sqlite import SqliteStore

store, won = SqliteStore(Path(sys.argv[1])), 0
print("ready", flush=True)
sys.stdin.readline()
while won < int(sys.argv[2]):
    found = store.read(["a", "b"])
    moved = [replace(one, step=one.step + 1, revision=one.revision + 1) for one in found]
    won += sum(store.replace(moved))
print(won)
"""


def test_processes_race_on_one_file_and_no_update_is_lost(file: Path, store: SqliteStore) -> None:
    store.create(session("a", step=0))
    store.create(session("b", step=0))
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(file), "400"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    won = [int(racer.communicate("go\n", timeout=60)[0]) for racer in racers]
    steps = [one.step for one in store.read(["a", "b"]) if one is not None]
    assert sum(steps) == sum(won) >= 1200


def test_processes_that_start_at_once_on_a_new_file(file: Path) -> None:
    opening = "from pathlib import Path; from service.stores.sqlite import SqliteStore; import sys;"
    opening += "SqliteStore(Path(sys.argv[1])).close()"
    command = [sys.executable, "-c", opening, str(file)]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    said = [process.communicate(timeout=30)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0], said


def test_a_full_disk_loses_nothing_and_passes(store: SqliteStore) -> None:
    """Pages are limited through SQLite, which then fails as on a full disk (SQLITE_FULL)."""
    sessions = [session(str(index), state=np.zeros(100, np.float32)) for index in range(20)]
    for one in sessions:
        store.create(one)
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    wide = np.ones(100_000, np.float32)
    with pytest.raises(StoreError, match="full"):
        store.create(session("new", state=wide))
    with pytest.raises(StoreError, match="full"):
        store.replace([moved(sessions[0]), moved(sessions[1], state=wide)])
    with pytest.raises(StoreError, match="full"):
        store.replace([moved(sessions[1], state=wide)])
    for one, found in zip(sessions, store.read([s.session_id for s in sessions]), strict=True):
        assert same(found, one), "a group is committed as a whole or not at all"
    assert store.replace([moved(sessions[2])]) == [True], "what fits goes on"
    store._connection.execute("PRAGMA max_page_count = 1000000")
    assert store.replace([moved(sessions[0]), moved(sessions[1], state=wide)]) == [True, True]
    store.create(session("new", state=wide))


def test_a_locked_file_is_waited_for_and_then_reported(file: Path, store: SqliteStore) -> None:
    store.create(session())
    store._connection.execute("PRAGMA busy_timeout = 50")
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked"):
            store.replace([moved(session())])
        assert same(store.read(["s"])[0], session()), "reading goes on"
    assert store.replace([moved(session())]) == [True]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody may look into, unlike `tmp_path`."""
    with TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def as_ordinary_user() -> Iterator[None]:
    """Permissions do not hold root back, so be nobody for a while."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_a_file_that_may_not_be_written(folder: Path) -> None:
    file = folder / "sessions.db"
    SqliteStore(file).close()
    file.chmod(0o444)
    before = file.read_bytes()
    with as_ordinary_user(), pytest.raises(StoreError, match="readonly") as raised:
        SqliteStore(file)
    assert str(file) in str(raised.value)
    assert file.read_bytes() == before


def test_a_folder_that_may_not_be_written(folder: Path) -> None:
    folder.chmod(0o555)
    with as_ordinary_user(), pytest.raises(StoreError, match="unable to open database file"):
        SqliteStore(folder / "sessions.db")
    folder.chmod(0o755)
    assert not list(folder.iterdir())


def test_a_file_that_was_damaged(file: Path) -> None:
    with closing(SqliteStore(file)) as store:
        for index in range(200):
            store.create(session(f"{index:03}", state=np.zeros(100, np.float32)))
    content = bytearray(file.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    file.write_bytes(content)
    with closing(SqliteStore(file)) as store, pytest.raises(StoreError, match="malformed"):
        store.page(model=None, after="", limit=1000)


def test_every_error_names_the_file(file: Path, store: SqliteStore) -> None:
    store.close()
    for call in (
        lambda: store.create(session()),
        lambda: store.read(["s"]),
        lambda: store.replace([moved(session())]),
        lambda: store.delete("s"),
        lambda: store.page(model=None, after="", limit=1),
        lambda: store.purge(0),
    ):
        with pytest.raises(StoreError, match=file.name):
            call()
