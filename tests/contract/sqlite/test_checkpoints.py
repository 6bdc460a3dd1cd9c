"""The thread that copies the log into a SQLite file."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from service.stores.sqlite import log
from service.stores.sqlite.store import SqliteStore
from service.stores.store import Session
from tests.contract.sessions import read, same, session, steps
from tests.waiting import wait_until

PAGE = np.zeros(900, np.float32)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log of 400 kB is long, so that a test gets there at once."""
    monkeypatch.setattr(log, "_COPIED_BYTES", 400_000)
    monkeypatch.setattr(log, "_LONG_BYTES", 800_000)
    monkeypatch.setattr(log, "_TOO_LONG_BYTES", 1_200_000)
    monkeypatch.setattr(log, "_WHILE_SECONDS", 0.01)


@pytest.fixture
def group(store: SqliteStore) -> list[Session]:
    """Sessions on pages of their own, a hundred kB together."""
    sessions = [session(str(index), state=PAGE) for index in range(32)]
    for one in sessions:
        store.create(one)
    return sessions


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []

    class Log:
        def warning(self, event: str, detail: str) -> None:
            said.append(f"{event}: {detail}")
            raise OSError("standard error is closed")

    monkeypatch.setattr(log, "log", Log())
    return said


def threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "checkpoints"]


def test_a_store_that_writes_little_has_no_thread(store: SqliteStore) -> None:
    store.create(session())
    assert threads() == []


def test_it_begins_when_the_log_is_long_and_ends_with_the_store(
    file: Path, store: SqliteStore, group: list[Session]
) -> None:
    wal = file.with_name("sessions.db-wal")
    lengths = []
    for _ in range(100):
        group = steps(store, group)
        lengths.append(wal.stat().st_size)
    assert len(threads()) == 1
    assert max(lengths) < 4_000_000, "of 13 MB that were written"
    assert file.stat().st_size > 32 * 4096, "copied into the file"
    store.close()
    assert threads() == []
    assert not wal.exists()
    with closing(SqliteStore(file)) as again:
        assert same(read(again, "7"), group[7])


def test_commits_copy_nothing(store: SqliteStore) -> None:
    connection = store.file.connection
    assert connection.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)


def test_it_survives_errors_and_says_so(
    file: Path,
    store: SqliteStore,
    group: list[Session],
    warnings: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copy = log._COPY
    monkeypatch.setattr(log, "_COPY", "PRAGMA nonsense(")
    wal = file.with_name("sessions.db-wal")
    while not warnings:
        group = steps(store, group)
    assert "checkpoint_failed: " in warnings[0]
    monkeypatch.setattr(log, "_COPY", copy)

    def shorter() -> bool:
        group[:] = steps(store, group)
        return wal.stat().st_size < 2_000_000

    wait_until(shorter, lambda: wal.stat().st_size)


def test_a_reader_makes_nobody_wait(file: Path, store: SqliteStore, group: list[Session]) -> None:
    """The log cannot start anew, and waiting would not help."""
    with closing(sqlite3.connect(file, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM progress").fetchone()
        wal = file.with_name("sessions.db-wal")
        while wal.stat().st_size < 3_000_000:
            group = steps(store, group)
        copying = store.file.log._checkpoints
        wait_until(lambda: copying.in_vain, lambda: "it is known to be in vain")
        while wal.stat().st_size < 6_000_000:
            group = steps(store, group)

    def shorter() -> bool:
        group[:] = steps(store, group)
        return wal.stat().st_size < 2_000_000

    wait_until(shorter, lambda: wal.stat().st_size)


def test_a_file_that_was_removed_is_let_go_with_the_store(
    file: Path, store: SqliteStore, group: list[Session]
) -> None:
    for _ in range(20):
        group = steps(store, group)
    assert threads()
    for path in file.parent.glob("sessions.db*"):
        path.unlink()
    store.close()
    deleted = [one for one in Path("/proc/self/fd").iterdir() if "sessions.db" in target(one)]
    assert deleted == []


def target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""
