"""Files that earlier releases wrote, as the statements that wrote them."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from service.errors import StoreError
from service.stores.sqlite.store import SqliteStore
from tests.contract.listing_contract import ids_of, listed
from tests.contract.sessions import found_in, moved, read, replaced, same, session, step, whole
from tests.contract.sqlite import earlier

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
        changes=1,
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
        changes=1,
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
        changes=1,
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
    found = store.read([one.identity for one in SESSIONS])
    assert all(map(same, found, SESSIONS))


def test_sessions_of_version_1_are_intact(file: Path) -> None:
    for _ in range(2):
        with closing(SqliteStore(file)) as store:
            assert_intact(store)
    assert version(file) == 3


def test_everything_works_with_sessions_of_version_1(file: Path) -> None:
    with closing(SqliteStore(file)) as store:
        assert ids_of(listed(store)) == ["A ", "a", "ä%"]
        assert [store.count(now=now) for now in (1.7e9, 1700000000.5, 1700003600.125)] == [3, 2, 1]
        after = moved(SESSIONS[0], receipts=b"receipt", expires_at=1700009999.5)
        outcomes = replaced(store, (SESSIONS[0], after), (session("ä%"), moved(SESSIONS[2])))
        assert outcomes == [True, False]
        assert same(read(store, "a"), after)
        assert store.purge(expired_before=1700003601.0, limit=9) == 1
        store.create(session("A "))
        step(store, SESSIONS[2])
        assert store.remove(SESSIONS[2].identity)
        assert store.count(now=1700003600.125) == 2


def test_a_file_that_was_migrated_is_like_a_new_one(file: Path, tmp_path: Path) -> None:
    SqliteStore(file).close()
    SqliteStore(tmp_path / "new.db").close()
    assert schema(file) == schema(tmp_path / "new.db")
    # Two tables with two indexes more and SQLite's own, the trigger, and the looks at the clock.
    assert len(schema(file)) == 7


def test_what_a_killed_process_of_version_1_left_in_its_log(file: Path) -> None:
    writing = (
        "import os, sqlite3, sys; connection = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "connection.execute('UPDATE sessions SET step = 8 WHERE session_id = ?', ('a',));"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", writing, str(file)], check=False)
    assert (file.parent / "sessions.db-wal").stat().st_size > 0
    with closing(SqliteStore(file)) as store:
        assert found_in(store, "a").step == 8


@pytest.mark.parametrize("later", [4, 99, -1, 0])
def test_a_version_that_this_release_does_not_know(file: Path, later: int) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(f"PRAGMA user_version = {later}")
    before = file.read_bytes()
    with pytest.raises(StoreError, match=f"has schema version {later}, this release needs 3"):
        SqliteStore(file)
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("first", [1, 2])
def test_a_process_of_an_older_release_that_still_runs_does_no_harm(file: Path, first: int) -> None:
    """It had opened the file, and used it, before this release migrated it."""
    if first == 2:
        earlier.migrate(file)
    with older_process(file, first) as older:
        assert older.does("read a") == "co2"
        assert older.does("step a") == "1"
        with closing(SqliteStore(file)) as store:
            assert found_in(store, "a").step == 8
            before = [whole(one) for one in listed(store)]
            for what in ("read a", "step a", "create b", "create a", "delete a", "purge"):
                assert older.does(what) == "no such table: sessions", what
            assert all(map(same, listed(store), before))
            step(store, before[1])
            assert older.does("read a") == "no such table: sessions"
    with closing(SqliteStore(file)) as store:
        assert found_in(store, "a").step == 9


class OlderProcess:
    """What an older release does to a file, in a process of its own, on command."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def does(self, what: str) -> str:
        """What came of it: a count or a model; or the error."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(what + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()


@contextmanager
def older_process(file: Path, version: int) -> Iterator[OlderProcess]:
    command = [sys.executable, earlier.__file__, str(file), str(version)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield OlderProcess(process)
        finally:
            process.kill()


RECEIPTS = bytes(range(256)) * 20
"""Long ones, which go on on pages of their own."""


def test_sessions_of_version_2_are_intact(file: Path) -> None:
    earlier.migrate(file)
    with closing(sqlite3.connect(file, isolation_level=None)) as older:
        older.execute(
            earlier.CREATE,
            (
                *("r", "co2", 2, 5, 2**48 + 4, b"\0\0\x80?" * 64, 1.7e9, 1.7e9 + 1.5, 1.5),
                *(b'{"a": 1}', RECEIPTS, 2833333),
            ),
        )
        older.execute("UPDATE sessions SET receipts = ? WHERE session_id = 'a'", (b"short",))
    expected = [
        replace(SESSIONS[0], receipts=b"short"),
        *SESSIONS[1:],
        session(
            "r",
            model="co2",
            version=2,
            step=5,
            changes=1,
            revision=2**48 + 4,
            state=np.ones(64, np.float32),
            created_at=1.7e9,
            expires_at=1.7e9 + 1.5,
            ttl_seconds=1.5,
            metadata=b'{"a": 1}',
            receipts=RECEIPTS,
        ),
    ]
    for _ in range(2):
        with closing(SqliteStore(file)) as store:
            assert all(map(same, store.read([one.identity for one in expected]), expected))
            assert ids_of(listed(store, "co2")) == ["a", "r", "ä%"]
            counts = [store.count(now=now) for now in (1.7e9, 1700000000.5, 1.7e9 + 1.5)]
            assert counts == [4, 3, 2]
    with closing(SqliteStore(file)) as store:
        assert store.purge(expired_before=1.7e9 + 1.6, limit=9) == 2
        step(store, expected[0])


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
    for statements in range(1, 90):
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
    assert set(versions) == {1, 3}
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
