"""SQLite files that are damaged, not ours, or may not be written: clear errors, no byte changed."""

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

from service.errors import StoreError, StoreFull
from service.stores.sqlite.store import SqliteStore
from tests.contract.sessions import moved, same, session

FIRST = ("", "")
HEADER_BYTES = 100
PAGE_BYTES = 4096


def refused(file: Path, words: str) -> None:
    """Opening fails with these words and the file's name, and changes nothing in the folder."""
    before = {path: path.read_bytes() for path in file.parent.iterdir()}
    with pytest.raises(StoreError, match=words) as raised:
        SqliteStore(file)
    assert str(file) in str(raised.value)
    assert {path: path.read_bytes() for path in file.parent.iterdir()} == before


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


def test_what_another_application_left_in_its_log_stays_there(file: Path) -> None:
    """Whoever opens such a file in the usual way writes the log back into it."""
    leaving = (
        "import os, sqlite3, sys; connection = sqlite3.connect(sys.argv[1]);"
        "connection.execute('PRAGMA journal_mode = WAL');"
        "connection.execute('CREATE TABLE sessions (session_id TEXT)');"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", leaving, str(file)], check=False)
    assert file.with_name("sessions.db-wal").stat().st_size > 0
    refused(file, "is a database of another application")


@pytest.mark.parametrize("content", [b"not a database\n" * 100, b"\x00" * 4096])
def test_a_file_that_is_no_database(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    refused(file, "file is not a database; choose another file")


def test_an_empty_file_becomes_a_store(file: Path) -> None:
    file.touch()
    with closing(SqliteStore(file)) as store:
        store.create(session())


def test_a_folder_in_place_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="unable to open database file; it is a folder"):
        SqliteStore(tmp_path)


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    folder = tmp_path / "nowhere"
    with pytest.raises(StoreError, match=f"there is no folder {folder}; create it"):
        SqliteStore(folder / "sessions.db")
    assert not folder.exists()


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
    with as_ordinary_user():
        refused(file, "readonly database; give the service the right to write")


def test_a_file_that_may_not_be_read(folder: Path) -> None:
    file = folder / "sessions.db"
    SqliteStore(file).close()
    file.chmod(0o000)
    with as_ordinary_user(), pytest.raises(StoreError, match="give the service the right to write"):
        SqliteStore(file)


@pytest.mark.parametrize("new", [True, False])
def test_a_folder_that_may_not_be_written(folder: Path, new: bool) -> None:
    file = folder / "sessions.db"
    if not new:
        SqliteStore(file).close()
        file.chmod(0o666)
    folder.chmod(0o555)
    with as_ordinary_user():
        refused(file, "; give the service the right to write the file and its folder")


@pytest.mark.parametrize("flipped", [0x01, 0xFF])
def test_a_header_that_was_damaged(file: Path, flipped: int) -> None:
    """Every byte of it in turn: refused and left as it is, or of no importance."""
    with closing(SqliteStore(file)) as store:
        store.create(session())
    sound = file.read_bytes()
    opened = 0
    for at in range(HEADER_BYTES):
        file.write_bytes(sound[:at] + bytes([sound[at] ^ flipped]) + sound[at + 1 :])
        damaged = file.read_bytes()
        try:
            with closing(SqliteStore(file)) as store:
                assert same(store.read(["s"])[0], session())
            opened += 1
        except StoreError as error:
            assert str(file) in str(error)
            assert file.read_bytes() == damaged
            assert list(file.parent.iterdir()) == [file]
    assert 40 < opened < 80


def test_a_page_that_was_damaged_concerns_its_sessions_alone(file: Path) -> None:
    sessions = [
        session(f"{index:03}", state=np.full(100, index, np.float32)) for index in range(99)
    ]
    with closing(SqliteStore(file)) as store:
        for one in sessions:
            store.create(one)
    content = bytearray(file.read_bytes())
    page = content.index(sessions[50].state.tobytes()) // PAGE_BYTES * PAGE_BYTES
    content[page : page + PAGE_BYTES] = b"\xff" * PAGE_BYTES
    file.write_bytes(content)
    with closing(SqliteStore(file)) as store:
        found = store.read([one.session_id for one in sessions])
        lost = [index for index, one in enumerate(found) if isinstance(one, StoreError)]
        assert 50 in lost
        assert len(lost) < 15
        assert all(same(found[index], sessions[index]) for index in set(range(99)) - set(lost))
        assert store.replace([moved(sessions[0]), moved(sessions[98])]) == [True, True]
        for call in (
            lambda: store.read([sessions[50].session_id]),
            lambda: store.replace([moved(sessions[1]), moved(sessions[50])]),
            lambda: store.page(model=None, after=FIRST, limit=1000),
        ):
            with pytest.raises(StoreError, match="malformed; the file is damaged; stop the serv"):
                call()
        assert same(store.read([sessions[1].session_id])[0], sessions[1])


def test_a_file_that_was_damaged_everywhere_but_in_its_header(file: Path) -> None:
    with closing(SqliteStore(file)) as store:
        for index in range(200):
            store.create(session(f"{index:03}", state=np.zeros(100, np.float32)))
    content = bytearray(file.read_bytes())
    content[PAGE_BYTES:] = b"\xff" * (len(content) - PAGE_BYTES)
    file.write_bytes(content)
    with closing(SqliteStore(file)) as store, pytest.raises(StoreError, match="malformed"):
        store.read(["000", "001"])
    assert file.read_bytes() == content


@pytest.mark.parametrize("state", ["X'000000'", "CAST(X'FF' AS TEXT)", "NULL"])
def test_a_state_that_is_no_vector(file: Path, store: SqliteStore, state: str) -> None:
    store.create(session("sound"))
    store.create(session("bad"))
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_schema SET sql = replace(replace(sql, 'STRICT', ''), 'NOT NULL', '')"
        )
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute(f"UPDATE sessions SET state = {state} WHERE session_id = 'bad'")
    sound, bad = store.read(["sound", "bad"])
    assert same(sound, session("sound"))
    assert isinstance(bad, StoreError)
    assert str(file) in str(bad)


def test_a_group_that_does_not_fit_is_refused_as_a_whole(store: SqliteStore) -> None:
    """Pages are limited through SQLite, which then fails as on a full disk, at any moment."""
    sessions = [session(str(index), state=np.zeros(100, np.float32)) for index in range(20)]
    for one in sessions:
        store.create(one)
    connection = store.file.connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    wide = np.ones(100_000, np.float32)
    with pytest.raises(StoreFull):
        store.create(session("new", state=wide))
    with pytest.raises(StoreFull):
        store.replace([moved(sessions[0]), moved(sessions[1], state=wide)])
    found = store.read([one.session_id for one in sessions])
    assert all(same(one, expected) for one, expected in zip(found, sessions, strict=True))
    assert store.replace([moved(sessions[2])]) == [True], "what fits goes on"
    connection.execute("PRAGMA max_page_count = 1000000")
    assert store.replace([moved(sessions[0]), moved(sessions[1], state=wide)]) == [True, True]


def test_every_error_names_the_file(file: Path, store: SqliteStore) -> None:
    store.close()
    for call in (
        lambda: store.create(session()),
        lambda: store.read(["s"]),
        lambda: store.replace([moved(session())]),
        lambda: store.replace([moved(session()), moved(session("t"))]),
        lambda: store.delete("s"),
        lambda: store.page(model=None, after=FIRST, limit=1),
        lambda: store.count(0),
        lambda: store.purge(0, 1),
    ):
        with pytest.raises(StoreError, match=file.name):
            call()
