"""Files that earlier releases wrote, as the statements that wrote them."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from service.errors import StoreError
from service.stores.sqlite.store import SqliteStore
from service.stores.store import Session
from tests.contract.sessions import moved, same, session

# Written by release 0.1.0, the first one.
VERSION_1 = """
CREATE TABLE sessions (
    session_id  TEXT PRIMARY KEY NOT NULL,
    model       TEXT NOT NULL,
    version     INTEGER NOT NULL,
    step        INTEGER NOT NULL,
    revision    INTEGER NOT NULL,
    state       BLOB NOT NULL,
    created_at  REAL NOT NULL,
    expires_at  REAL NOT NULL,
    ttl_seconds REAL NOT NULL
) STRICT;
PRAGMA application_id = 1196905285;
PRAGMA user_version = 1;
PRAGMA journal_mode = WAL;
INSERT INTO sessions VALUES
('a', 'co2', 1, 7, 9, X'CDCCCC3D000080FF0100C07F', 1.7e9, 1700003600.125, 3600.125),
('A ', 'characters', 3, 0, 0, X'', 1700000000.1, 1700000000.5, 0.4),
('ä%', 'co2', 2, 1152921504606846976, 5, X'0000803F', 1.7e9, 1e12, 1e12);
"""
SESSIONS = [
    session(
        "a",
        model="co2",
        version=1,
        step=7,
        revision=9,
        state=np.array([0x3DCCCCCD, 0xFF800000, 0x7FC00001], np.uint32).view(np.float32),
        created_at=1.7e9,
        expires_at=1700003600.125,
        ttl_seconds=3600.125,
    ),
    session(
        "A ",
        model="characters",
        version=3,
        step=0,
        revision=0,
        state=np.empty(0, np.float32),
        created_at=1700000000.1,
        expires_at=1700000000.5,
        ttl_seconds=0.4,
    ),
    session(
        "ä%",
        model="co2",
        version=2,
        step=2**60,
        revision=5,
        state=np.ones(1, np.float32),
        created_at=1.7e9,
        expires_at=1e12,
        ttl_seconds=1e12,
    ),
]
MANY = """
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})
INSERT INTO sessions SELECT
    printf('%032d', n), 'many', 1, n, n, zeroblob(256), 1.7e9, 1.7e9 + n, 3600.0 FROM numbers;
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of version 1 with SESSIONS."""
    file = tmp_path / "sessions.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(VERSION_1)
    return file


def add_many(file: Path, count: int) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.executescript(MANY.format(count=count))


def schema(file: Path) -> list[tuple[str]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute("SELECT sql FROM sqlite_schema ORDER BY name").fetchall()


def version(file: Path) -> int:
    with closing(sqlite3.connect(file)) as connection:
        found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return found


def assert_intact(store: SqliteStore) -> None:
    for found, expected in zip(
        store.read([one.session_id for one in SESSIONS]), SESSIONS, strict=True
    ):
        assert same(found, expected)


def test_sessions_of_version_1_are_intact(file: Path) -> None:
    for _ in range(2):
        with closing(SqliteStore(file)) as store:
            assert_intact(store)
            assert store.page(model="co2", after=("", ""), limit=1)[0].metadata == b"{}"
    assert version(file) == 2


def test_everything_works_with_sessions_of_version_1(file: Path) -> None:
    with closing(SqliteStore(file)) as store:
        listed = store.page(model=None, after=("", ""), limit=9)
        assert [one.session_id for one in listed] == ["A ", "a", "ä%"]
        assert [store.count(now=now) for now in (1.7e9, 1700000000.5, 1700003600.125)] == [3, 2, 1]
        after = moved(SESSIONS[0], receipts=b"receipt", expires_at=1700009999.5)
        assert store.replace([after, moved(SESSIONS[2], revision=5)]) == [True, False]
        assert same(store.read(["a"])[0], after)
        assert store.purge(expired_before=1700003601.0, limit=9) == 1
        store.create(session("A "))
        assert store.delete("ä%", revision=5)
        assert store.count(now=1700003600.125) == 2


def test_a_file_that_was_migrated_is_like_a_new_one(file: Path, tmp_path: Path) -> None:
    SqliteStore(file).close()
    SqliteStore(tmp_path / "new.db").close()
    assert schema(file) == schema(tmp_path / "new.db")
    assert len(schema(file)) == 4


def test_what_a_killed_process_of_version_1_left_in_its_log(file: Path) -> None:
    writing = (
        "import os, sqlite3, sys; connection = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "connection.execute('UPDATE sessions SET step = 8 WHERE session_id = ?', ('a',));"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", writing, str(file)], check=False)
    assert (file.parent / "sessions.db-wal").stat().st_size > 0
    with closing(SqliteStore(file)) as store:
        found = store.read(["a"])[0]
        assert isinstance(found, Session)
        assert found.step == 8


@pytest.mark.parametrize("later", [3, 99, -1, 0])
def test_a_version_that_this_release_does_not_know(file: Path, later: int) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(f"PRAGMA user_version = {later}")
    before = file.read_bytes()
    with pytest.raises(StoreError, match=f"has schema version {later}, this release needs 2"):
        SqliteStore(file)
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_a_process_of_version_1_that_still_runs_does_no_harm(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as old:
        old.execute("SELECT * FROM sessions").fetchall()
        with closing(SqliteStore(file)) as store:
            # Its sessions would be counted and purged by a time that is not theirs any more.
            with pytest.raises(sqlite3.IntegrityError):
                old.execute("UPDATE sessions SET expires_at = 2e9 WHERE session_id = 'a'")
            assert_intact(store)


OPENING = """
import os, signal, sqlite3, sys
from pathlib import Path

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

class Dying(sqlite3.Connection):
    statements, instructions = int(sys.argv[2]), int(sys.argv[3])

    def execute(self, *arguments):
        Dying.statements -= 1
        if Dying.statements == 0:
            die()
        if "INSERT INTO" in arguments[0] and Dying.instructions:
            self.set_progress_handler(die, Dying.instructions)
        return super().execute(*arguments)

connect = sqlite3.connect
sqlite3.connect = lambda *arguments, **options: connect(*arguments, factory=Dying, **options)
from service.stores.sqlite.store import SqliteStore
SqliteStore(Path(sys.argv[1])).close()
"""


def opening(file: Path, *, statements: int = 0, instructions: int = 0) -> subprocess.Popen[str]:
    """A process that opens the file; it kills itself before so many statements.

    Or after so many of SQLite's instructions within the one that copies the sessions.
    """
    command = [sys.executable, "-c", OPENING, str(file), str(statements), str(instructions)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def test_a_process_that_is_killed_at_any_statement(file: Path) -> None:
    versions = []
    for statements in range(1, 50):
        process = opening(file, statements=statements)
        said = process.communicate(timeout=60)[1]
        versions.append(version(file))
        if process.returncode == 0:
            break
        assert process.returncode == -9, said
        if versions[-1] == 1:
            with closing(sqlite3.connect(file)) as connection:
                assert connection.execute("SELECT count(*) FROM sessions").fetchone() == (3,)
    assert process.returncode == 0
    assert versions == sorted(versions)
    assert versions[0] == 1
    assert versions.count(1) > 10, "killed within the migration"
    assert versions.count(2) == 2, "killed after it, and then not at all"
    with closing(SqliteStore(file)) as store:
        assert_intact(store)


def test_a_process_that_is_killed_while_it_copies(file: Path) -> None:
    """Enough sessions that a part of them is in the log before the migration is complete."""
    add_many(file, 20_000)
    for instructions in (100, 100_000, 600_000):
        process = opening(file, instructions=instructions)
        said = process.communicate(timeout=60)[1]
        assert process.returncode == -9, said
        if instructions == 600_000:
            assert (file.parent / "sessions.db-wal").stat().st_size > 1_000_000
        assert version(file) == 1
    with closing(SqliteStore(file)) as store:
        assert_intact(store)
        assert store.count(now=0) == 20_003


def test_processes_that_open_an_old_file_at_once(file: Path) -> None:
    add_many(file, 20_000)
    processes = [opening(file) for _ in range(4)]
    said = [process.communicate(timeout=90)[1] for process in processes]
    assert [process.returncode for process in processes] == [os.EX_OK] * 4, said
    with closing(SqliteStore(file)) as store:
        assert_intact(store)
        assert store.count(now=0) == 20_003
