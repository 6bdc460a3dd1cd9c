"""The contract, kept by the store in a SQLite file; and what is a file's alone."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Literal

import numpy as np
import pytest

from service.errors import StoreError
from service.stores.open import open_store
from service.stores.sqlite.schema import SLOT_SECONDS
from service.stores.sqlite.store import SqliteStore
from service.stores.store import Session
from tests.contract.sessions import moved, same, session
from tests.contract.store_contract import NOW, StoreContract


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
    sessions = [session(str(index), step=index, receipts=b"kept") for index in range(10)]
    with closing(SqliteStore(file, durability)) as store:
        for one in sessions:
            store.create(one)
        store.replace([moved(sessions[3])])
        store.delete("4")
    with closing(SqliteStore(file, durability)) as store:
        found = store.page(model=None, after=("", ""), limit=100)
    assert [one.step for one in found] == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert same(found[3], moved(sessions[3]))


@pytest.mark.parametrize(("durability", "synchronous"), [("normal", 1), ("full", 2)])
def test_commits_wait_for_the_disk_as_asked(
    file: Path, durability: Literal["normal", "full"], synchronous: int
) -> None:
    """Losing power cannot be tested here; what SQLite promises for these settings can be read."""
    with closing(SqliteStore(file, durability)) as store:
        connection = store.file.connection
        assert connection.execute("PRAGMA synchronous").fetchone() == (synchronous,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_url_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for url, name in {
        "sqlite:///relative.db": tmp_path / "relative.db",
        f"sqlite:///{tmp_path}/absolute.db": tmp_path / "absolute.db",
        "sqlite:///with%20space.db": tmp_path / "with space.db",
    }.items():
        open_store(url, "normal", retention_seconds=1, timeout_seconds=1).close()
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
    ],
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(StoreError, match="is not understood"):
        open_store(url, "normal", retention_seconds=1, timeout_seconds=1)


def executed(store: SqliteStore, call: Callable[[], object]) -> list[str]:
    """The statements that a call executes, with their values in them."""
    statements: list[str] = []
    store.file.connection.set_trace_callback(statements.append)
    call()
    store.file.connection.set_trace_callback(None)
    assert statements
    return statements


def plan(store: SqliteStore, call: Callable[[], object]) -> str:
    """How SQLite finds the rows of the statements that a call executes."""
    (statement,) = executed(store, call)
    rows = store.file.connection.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
    return "\n".join(row[3] for row in rows)


@pytest.mark.parametrize("model", [None, "weather"])
def test_pages_come_straight_from_an_index(file: Path, model: str | None) -> None:
    with closing(SqliteStore(file)) as store:
        found = plan(store, lambda: store.page(model=model, after=("weather", "a"), limit=5))
    assert found.startswith("SEARCH sessions USING INDEX sessions_by_model (")
    assert "SCAN" not in found
    assert "TEMP B-TREE" not in found


def test_counting_looks_at_the_sessions_of_one_slot_only(file: Path) -> None:
    with closing(SqliteStore(file)) as store:
        found = plan(store, lambda: store.count(now=NOW))
    assert "SEARCH sessions USING COVERING INDEX sessions_by_expiry (expiry_slot>?)" in found
    assert "SEARCH sessions USING INDEX sessions_by_expiry (expiry_slot=?)" in found
    assert "SCAN sessions" not in found


def test_purging_finds_the_expired_by_their_slot(file: Path) -> None:
    with closing(SqliteStore(file)) as store:
        found = plan(store, lambda: store.purge(expired_before=NOW, limit=5))
    assert "SEARCH sessions USING INDEX sessions_by_expiry (expiry_slot<?)" in found
    assert "SCAN sessions" not in found


def writes_an_index(store: SqliteStore, after: Session) -> bool:
    """Whether a step executes an instruction that writes to an index."""
    statements = executed(store, lambda: store.replace([after]))
    with closing(sqlite3.connect(store.file.path)) as connection:
        # The values among the operands are bytes, not text.
        connection.text_factory = bytes
        instructions = {
            row[1] for one in statements for row in connection.execute(f"EXPLAIN {one}")
        }
    assert b"Insert" in instructions
    return bool(instructions & {b"IdxInsert", b"IdxDelete"})


def test_a_step_writes_to_an_index_only_where_it_ends_in_another_slot(file: Path) -> None:
    start = NOW // SLOT_SECONDS * SLOT_SECONDS
    before = session(expires_at=start)
    with closing(SqliteStore(file)) as store:
        store.create(before)
        near = moved(before, expires_at=start + SLOT_SECONDS - 0.001, receipts=b"longer")
        assert not writes_an_index(store, near)
        far = moved(near, expires_at=start + SLOT_SECONDS)
        assert writes_an_index(store, far)
        assert same(store.read(["s"])[0], far)


@pytest.mark.parametrize("slot", [0.0, SLOT_SECONDS * 2_666_667])
def test_counts_and_purges_are_exact_at_the_edges_of_slots(file: Path, slot: float) -> None:
    """Slots are found by a division, whose rounding must not put a time on the other side."""
    times = [slot]
    for _ in range(3):
        times = [np.nextafter(times[0], -1e9), *times, np.nextafter(times[-1], 1e18)]
    times += [slot + SLOT_SECONDS - 1e-6, slot + SLOT_SECONDS]
    expiries = [float(time) for time in times]
    with closing(SqliteStore(file)) as store:
        for index, expires_at in enumerate(expiries):
            store.create(session(str(index), expires_at=expires_at))
        for expires_at in expiries:
            assert store.count(now=expires_at) == sum(one > expires_at for one in expiries)
        for index, expires_at in enumerate(expiries):
            assert store.purge(expired_before=expires_at, limit=100) == min(index, 1)


def test_a_session_takes_at_most_twice_its_state_and_200_bytes(file: Path) -> None:
    count, state = 10_000, np.ones(64, np.float32)
    random = Random(0)
    with closing(SqliteStore(file)) as store, store.file.transaction():
        for _ in range(count):
            one = session(f"{random.getrandbits(128):032x}", model="characters", state=state)
            store.create(one)
    assert file.stat().st_size / count < 2 * state.nbytes + 200
