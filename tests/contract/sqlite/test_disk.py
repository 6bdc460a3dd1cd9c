"""SQLite files on a disk that is really full."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from service.errors import CommitUnknown, StoreError, StoreFull
from service.stores.sqlite.store import SqliteStore
from service.stores.store import Session
from tests.contract.listing_contract import listed
from tests.contract.sessions import identities, moved, read, replaced, same, session, step, steps
from tests.contract.sqlite.disks import fill, small_disk

WIDE = np.ones(20_000, np.float32)
IDS = [f"{index:02}" for index in range(20)]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path, "2m") as disk:
        yield disk


@pytest.fixture(params=["normal", "full"])
def durability(request: pytest.FixtureRequest) -> Literal["normal", "full"]:
    asked: Literal["normal", "full"] = request.param
    return asked


@pytest.fixture
def store(disk: Path, durability: Literal["normal", "full"]) -> Iterator[SqliteStore]:
    """Holds a session for each of IDS."""
    with closing(SqliteStore(disk / "sessions.db", durability)) as store:
        for session_id in IDS:
            store.create(session(session_id))
        yield store


def step_until_full(store: SqliteStore, before: dict[str, Session]) -> None:
    """Wide creations take the last room there is."""
    with pytest.raises(StoreFull):
        for index in range(100):
            store.create(session(f"wide {index}", state=WIDE))
    assert_unchanged(store, before)


def assert_unchanged(store: SqliteStore, expected: dict[str, Session]) -> None:
    found = store.read(identities(*expected))
    for one, stored in zip(expected.values(), found, strict=True):
        assert same(stored, one)


def test_a_full_disk_refuses_changes_and_recovers_by_itself(disk: Path, store: SqliteStore) -> None:
    before = {session_id: session(session_id) for session_id in IDS}
    ballast = fill(disk)
    step_until_full(store, before)
    narrow = session("00"), moved(session("00"))
    wide = session("01"), moved(session("01"), state=WIDE)
    for refused in replaced(store, narrow, wide) + replaced(store, wide):
        assert isinstance(refused, StoreFull)
        assert "sessions.db: database or disk is full; make room" in str(refused)
    assert_unchanged(store, before)
    assert len(listed(store, "weather")) >= 20
    ballast.unlink()
    assert replaced(store, narrow, wide) == [True, True]
    store.create(session("new", state=WIDE))
    assert_unchanged(store, {"00": moved(session("00")), "new": session("new", state=WIDE)})


def test_after_a_full_disk_the_file_is_whole(disk: Path, store: SqliteStore) -> None:
    before = {session_id: session(session_id) for session_id in IDS}
    ballast = fill(disk)
    step_until_full(store, before)
    # As a kill would leave them.
    killed = disk.parent / "killed"
    killed.mkdir()
    for name in ("sessions.db", "sessions.db-wal"):
        shutil.copy(disk / name, killed)
    store.close()
    ballast.unlink()
    for file in (disk / "sessions.db", killed / "sessions.db"):
        with closing(SqliteStore(file)) as reopened:
            assert_unchanged(reopened, before)
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_steps_that_need_no_room_go_on(disk: Path, store: SqliteStore) -> None:
    """Their log is many times longer than the disk is large."""
    fill(disk)
    current = session("00")
    for _ in range(1000):
        current = step(store, current)
    assert_unchanged(store, {"00": current})


def test_a_store_does_not_open_on_a_full_disk_and_opens_later(tmp_path: Path) -> None:
    with small_disk(tmp_path, "2m") as disk:
        ballast = fill(disk)
        with pytest.raises(StoreError, match="full"):
            SqliteStore(disk / "sessions.db")
        ballast.unlink()
        SqliteStore(disk / "sessions.db").close()


def test_a_change_that_a_kill_may_bring_back_is_called_unknown(tmp_path: Path) -> None:
    """The log takes its last page and its index has no room for it: SQLite reports an error.

    The next process to read the log after a kill finds the change there.
    """
    with small_disk(tmp_path, "40m") as disk:
        file = disk / "sessions.db"
        with closing(SqliteStore(file)) as store, closing(sqlite3.connect(file)) as reader:
            current, ballast = fill_the_index_of_the_log(store, reader, disk)
            while (outcome := replaced(store, (current, moved(current)))) == [True]:
                current = moved(current)
            assert isinstance(outcome[0], CommitUnknown)
            assert "sessions.db" in str(outcome[0])
            assert same(read(store, current.session_id), current)
            assert same(after_a_kill(file, tmp_path / "one", current), moved(current))
            ballast.unlink()
            store.create(session("later"))
            assert same(after_a_kill(file, tmp_path / "two", current), current)


def fill_the_index_of_the_log(
    store: SqliteStore, reader: sqlite3.Connection, disk: Path
) -> tuple[Session, Path]:
    """A log of some 4000 pages, which a reader keeps from starting anew, and a full disk."""
    page = np.zeros(1000, np.float32)
    group = [session(f"{index:02}", state=page) for index in range(50)]
    for one in group:
        store.create(one)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM progress").fetchone()
    log = disk / "sessions.db-wal"
    while log.stat().st_size < 3900 * 4120:
        group = steps(store, group)
    # Its index ends at page 4062: enough blocks for eight more pages, then too few of them
    # for the eight of the next piece of the index.
    current = group[0]
    while log.stat().st_size < 4056 * 4120:
        current = step(store, current)
    return current, fill(disk, leaving_blocks=13)


def after_a_kill(file: Path, folder: Path, one: Session) -> Session | None:
    """What another process finds, from the file and its log alone."""
    folder.mkdir()
    for name in (file.name, f"{file.name}-wal"):
        shutil.copy(file.parent / name, folder)
    with closing(SqliteStore(folder / file.name)) as store:
        found = read(store, one.session_id)
    assert found is None or isinstance(found, Session)
    return found
