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

from service.errors import SessionDamaged, SessionExists, StoreError, StoreFull
from service.stores.sqlite.store import SqliteStore
from service.stores.store import Identity, Session
from tests.contract.listing_contract import listed
from tests.contract.sessions import (
    identities,
    moved,
    read,
    replaced,
    same,
    session,
    step,
)
from tests.contract.sqlite.damage import PAGE_BYTES, overwrite_page, overwrite_root
from tests.contract.store_contract import NOW

HEADER_BYTES = 100


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
                assert same(read(store), session())
            opened += 1
        except StoreError as error:
            assert str(file) in str(error)
            assert file.read_bytes() == damaged
            assert list(file.parent.iterdir()) == [file]
    assert 40 < opened < 80


@pytest.fixture
def sessions() -> list[Session]:
    """Each knows its own page by its state and its metadata."""
    return [
        session(
            f"{index:03}",
            state=np.full(100, index, np.float32),
            metadata=b"{" + b"%03d" % index * 130 + b"}",
        )
        for index in range(99)
    ]


@pytest.fixture
def filled(file: Path, sessions: list[Session]) -> Path:
    """A file with these sessions, which nobody has open."""
    with closing(SqliteStore(file)) as store:
        for one in sessions:
            store.create(one)
    return file


@pytest.mark.parametrize("part", ["progress", "session"])
def test_a_page_that_was_damaged_concerns_its_sessions_alone(
    filled: Path, sessions: list[Session], part: str
) -> None:
    marked = sessions[50].state.tobytes() if part == "progress" else sessions[50].metadata
    overwrite_page(filled, marked)
    with closing(SqliteStore(filled)) as store:
        found = store.read([one.identity for one in sessions])
        lost = {index for index, one in enumerate(found) if isinstance(one, SessionDamaged)}
        assert 50 in lost
        assert len(lost) < 15
        assert all(same(found[index], sessions[index]) for index in set(range(99)) - lost)
        assert isinstance(found[50], SessionDamaged)
        assert str(filled) in str(found[50])
        assert found[50].model == ("weather" if part == "progress" else "")
        assert [one.session_id for one in listed(store)] == [one.session_id for one in sessions]
        page = listed(store, "weather", after=("weather", "049"), limit=1)
        assert isinstance(page[0], SessionDamaged)
        assert (page[0].session_id, page[0].model) == ("050", "weather")
        outcomes = replaced(store, *((one, moved(one)) for one in sessions))
        assert all(outcomes[index] is True for index in set(range(99)) - lost)
        if part == "progress":
            assert all(isinstance(outcomes[index], SessionDamaged) for index in lost)
        assert same(read(store, "000"), moved(sessions[0]))
        with pytest.raises(SessionExists):
            store.create(session("050", created_at=NOW + 1e6, expires_at=NOW + 2e6))
        store.create(session("new"))
        assert store.count(now=0) == 100
        end = sessions[0].expires_at
        # All are counted of a slot whose times cannot be read.
        assert store.count(now=end) == (100 if part == "progress" else 0)
        assert store.purge(end, limit=1000) == 0
        assert store.purge(end + 1e6, limit=1000) > 60, "some have to stay, next to the bad page"


def test_what_lies_on_a_damaged_page_can_be_removed_and_made_anew(
    filled: Path, sessions: list[Session]
) -> None:
    overwrite_page(filled, sessions[50].state.tobytes())
    with closing(SqliteStore(filled)) as store:
        for session_id in ("050", "051"):
            assert store.remove(Identity("", session_id))
            assert read(store, session_id) is None
            store.create(session(session_id))
            assert same(read(store, session_id), session(session_id))
            step(store, session(session_id))
        assert len(listed(store)) == 99


@pytest.mark.parametrize("field", ["receipts", "metadata"])
def test_a_session_whose_long_content_was_damaged_is_removed_if_it_can_be(
    file: Path, field: str
) -> None:
    """It goes on on pages of its own, each of which begins with the number of the next one."""
    content = b"".join(b"%08d" % index for index in range(2000))
    with closing(SqliteStore(file)) as store:
        for session_id in "abc":
            store.create(session(session_id, **({field: content} if session_id == "c" else {})))
    overwrite_page(file, b"%08d" % 1000)
    with closing(SqliteStore(file)) as store:
        assert isinstance(read(store, "c"), SessionDamaged)
        assert len(listed(store)) == 3
        if field == "receipts":
            assert store.remove(Identity("", "c"))
            # The row that could not be deleted has the highest number.
            store.create(session("c"))
            assert same(read(store, "c"), session("c"))
        else:
            with pytest.raises(StoreError, match="malformed; the file is damaged; stop the serv"):
                store.remove(Identity("", "c"))
        assert same(read(store, "a"), session("a"))
        assert same(read(store, "b"), session("b"))


def test_purging_goes_on_behind_what_cannot_be_removed(file: Path) -> None:
    content = b"".join(b"%08d" % index for index in range(2000))
    with closing(SqliteStore(file)) as store:
        for session_id in "abc":
            store.create(
                session(session_id, **({"metadata": content} if session_id == "b" else {}))
            )
    overwrite_page(file, b"%08d" % 1000)
    with closing(SqliteStore(file)) as store:
        assert store.purge(NOW + 1e6, limit=100) == 2
        assert store.purge(NOW + 1e6, limit=100) == 0


def test_a_file_that_was_damaged_everywhere_but_in_its_header(file: Path) -> None:
    with closing(SqliteStore(file)) as store:
        for index in range(200):
            store.create(session(f"{index:03}", state=np.zeros(100, np.float32)))
    content = bytearray(file.read_bytes())
    content[PAGE_BYTES:] = b"\xff" * (len(content) - PAGE_BYTES)
    file.write_bytes(content)
    refused(file, "malformed; the file is damaged")


@pytest.mark.parametrize("table", ["session", "progress"])
def test_a_table_that_was_damaged_at_its_root(
    filled: Path, sessions: list[Session], table: str
) -> None:
    overwrite_root(filled, table)
    with closing(SqliteStore(filled)) as store:
        found = store.read([one.identity for one in sessions])
        assert all(isinstance(one, SessionDamaged) for one in found)
        assert all(isinstance(one, SessionDamaged) for one in listed(store))
        with pytest.raises(StoreError, match="malformed; the file is damaged; stop the service"):
            store.create(session("new"))


def test_an_index_that_was_damaged_is_no_fault_of_its_sessions(
    filled: Path, sessions: list[Session]
) -> None:
    overwrite_root(filled, "sqlite_autoindex_session_1")
    with closing(SqliteStore(filled)) as store:
        for outcome in store.read([one.identity for one in sessions[:3]]):
            assert type(outcome) is StoreError
            assert "malformed; the file is damaged; stop the service" in str(outcome)


@pytest.mark.parametrize("replacement", ["nothing", "another", "its log"])
def test_a_file_that_is_removed_or_replaced_while_it_is_open(
    file: Path, store: SqliteStore, replacement: str
) -> None:
    store.create(session())
    store.refresh_clock()
    gone = file.with_name("sessions.db-wal") if replacement == "its log" else file
    aside = gone.rename(file.with_name("aside"))
    if replacement == "another":
        gone.write_bytes(aside.read_bytes())
    with pytest.raises(StoreError, match=r"sessions\.db.* was removed or replaced while it was in"):
        store.refresh_clock()
    assert_all_refused(store, "was removed or replaced")
    aside.rename(gone)
    store.refresh_clock()
    assert same(read(store), session()), "and nothing was changed meanwhile"
    step(store, session())


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
    pairs = [(sessions[0], moved(sessions[0])), (sessions[1], moved(sessions[1], state=wide))]
    assert all(isinstance(one, StoreFull) for one in replaced(store, *pairs))
    found = store.read([one.identity for one in sessions])
    assert all(same(one, expected) for one, expected in zip(found, sessions, strict=True))
    step(store, sessions[2])  # what fits goes on
    connection.execute("PRAGMA max_page_count = 1000000")
    assert replaced(store, *pairs) == [True, True]


def test_every_error_names_the_file(file: Path, store: SqliteStore) -> None:
    store.close()
    assert_all_refused(store, file.name)


def assert_all_refused(store: SqliteStore, words: str) -> None:
    """Each access fails with an error of the store, and not with a session's."""
    for call in (
        lambda: store.create(session("new")),
        lambda: store.remove(Identity("", "s")),
        lambda: listed(store),
        lambda: store.count(0),
        lambda: store.purge(0, 1),
        store.refresh_clock,
        store.accept_clock,
    ):
        with pytest.raises(StoreError, match=words):
            call()
    pair = session(), moved(session())
    for outcome in (
        *store.read(identities("s", "t")),
        *replaced(store, pair),
        *replaced(store, pair, pair),
    ):
        assert type(outcome) is StoreError
        assert words in str(outcome)
