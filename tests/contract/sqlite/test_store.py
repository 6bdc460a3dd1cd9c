"""What is a SQLite file's alone; the contract itself is in `test_contract.py`."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Literal

import numpy as np
import pytest

from service.errors import StoreError
from service.stores.open import open_store
from service.stores.sqlite.schema import SLOT_SECONDS
from service.stores.sqlite.store import SqliteStore
from tests.contract.listing_contract import ids_of, listed
from tests.contract.sessions import (
    found_in,
    identities,
    moved,
    read,
    replaced,
    same,
    session,
    step,
    steps,
    whole,
)
from tests.contract.store_contract import NOW


@pytest.mark.parametrize("durability", ["normal", "full"])
def test_reopening_keeps_everything(file: Path, durability: Literal["normal", "full"]) -> None:
    sessions = [session(str(index), step=index, receipts=b"kept") for index in range(10)]
    with closing(SqliteStore(file, durability)) as store:
        for one in sessions:
            store.create(one)
        after = step(store, sessions[3])
        store.remove(sessions[4].identity)
    with closing(SqliteStore(file, durability)) as store:
        found = listed(store)
    assert ids_of(found) == ["0", "1", "2", "3", "5", "6", "7", "8", "9"]
    assert same(found[3], after)


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
    """The statements that a call executes, with their values in them.

    One that has a trigger is told twice.
    """
    statements: list[str] = []
    store.file.connection.set_trace_callback(statements.append)
    call()
    store.file.connection.set_trace_callback(None)
    assert statements
    return [one.strip() for one in statements]


def rows_written(store: SqliteStore, call: Callable[[], object]) -> int:
    before = store.file.connection.total_changes
    call()
    return store.file.connection.total_changes - before


def plans(store: SqliteStore, call: Callable[[], object]) -> list[str]:
    """How SQLite finds the rows of each statement that a call executes."""
    return [
        "\n".join(row[3] for row in explained)
        for one in executed(store, call)
        if one.startswith("SELECT")
        and (explained := store.file.connection.execute(f"EXPLAIN QUERY PLAN {one}").fetchall())
    ]


def test_sessions_are_read_through_the_index_of_identities(file: Path) -> None:
    with closing(SqliteStore(file)) as store:
        (found,) = plans(store, lambda: store.read(identities("a", "b")))
    assert found.splitlines()[0].startswith("SEARCH session USING INDEX sqlite_autoindex_session_1")
    assert "SEARCH progress USING INTEGER PRIMARY KEY (rowid=?)" in found
    assert "SCAN" not in found


@pytest.mark.parametrize("model", [None, "weather"])
def test_pages_come_straight_from_an_index(file: Path, model: str | None) -> None:
    with closing(SqliteStore(file)) as store:
        found = plans(store, lambda: listed(store, model, after=("weather", "a"), limit=5))
    assert found[0].startswith("SEARCH session USING COVERING INDEX session_by_model (tenant=?")
    assert "(model,session_id)>" in found[0] or "model=? AND session_id>" in found[0]
    assert "TEMP B-TREE" not in found[0]


def test_counting_looks_at_the_sessions_of_one_slot_only(file: Path) -> None:
    with closing(SqliteStore(file)) as store:
        behind, within = plans(store, lambda: store.count(now=NOW))
    assert "SEARCH session USING COVERING INDEX session_by_expiry (expiry_slot>?)" in behind
    assert "SEARCH session USING COVERING INDEX session_by_expiry (expiry_slot=?)" in within
    assert "SEARCH progress USING INTEGER PRIMARY KEY (rowid=?)" in within
    assert "SCAN" not in behind + within


def test_purging_finds_the_expired_by_their_slot(file: Path) -> None:
    with closing(SqliteStore(file)) as store:
        (found,) = plans(store, lambda: store.purge(expired_before=NOW, limit=5))
    assert "SEARCH session USING COVERING INDEX session_by_expiry (expiry_slot<?)" in found
    assert "SEARCH session USING COVERING INDEX session_by_expiry (expiry_slot=?)" in found
    assert "SCAN" not in found


def slot_of(store: SqliteStore) -> int:
    slot: int = store.file.connection.execute("SELECT expiry_slot FROM session").fetchone()[0]
    return slot


def test_a_step_writes_one_row_and_no_index(file: Path) -> None:
    """Until it ends in another slot: then the row with the slot, too."""
    start = NOW // SLOT_SECONDS * SLOT_SECONDS
    with closing(SqliteStore(file)) as store:
        store.create(session(expires_at=start))
        before = found_in(store)
        near = moved(before, expires_at=start + SLOT_SECONDS - 0.001, receipts=b"longer")
        done = executed(store, lambda: replaced(store, (before, near)))
        assert len(set(done)) == 1
        assert done[0].startswith("UPDATE OR ROLLBACK progress")
        nearer = moved(near, writers=b"longer")
        assert rows_written(store, lambda: replaced(store, (near, nearer))) == 1
        assert slot_of(store) == start // SLOT_SECONDS
        far = moved(nearer, expires_at=start + SLOT_SECONDS)
        assert rows_written(store, lambda: replaced(store, (nearer, far))) == 2
        assert slot_of(store) == start // SLOT_SECONDS + 1
        assert same(read(store), far)


def test_a_group_is_one_statement_and_after_a_loss_one_for_each(file: Path) -> None:
    sessions = [session(str(index)) for index in range(10)]
    with closing(SqliteStore(file)) as store:
        for one in sessions:
            store.create(one)
        sessions = [whole(one) for one in listed(store)]
        done = executed(store, lambda: steps(store, sessions))
        assert [one.split()[0] for one in dict.fromkeys(done)] == [
            "BEGIN",
            *["UPDATE"] * 10,
            "COMMIT",
        ]
        after = moved(moved(sessions[0]))
        won = replaced(store, (moved(sessions[0]), after), *((one, moved(one)) for one in sessions))
        assert won == [True, *[False] * 10]
        assert same(read(store, "0"), after)
        assert same(read(store, "9"), moved(sessions[9]))


def test_a_session_is_found_where_its_row_has_another_number(file: Path) -> None:
    """As after a file was written anew from a dump of it."""
    with closing(SqliteStore(file)) as store:
        store.create(session())
        for row in (0, 1, 2, 10**9):
            before = replace(found_in(store), row=row)
            for group in ([], [session("x")]):
                after = moved(before)
                pairs = [(before, after), *((one, moved(one)) for one in group)]
                assert replaced(store, *pairs)[0] is True
                assert same(read(store), after)
                before = after


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
