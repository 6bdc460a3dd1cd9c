"""The contract of traces, kept by a SQLite file; and what is that file's alone."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from service.errors import StoreError
from service.stores.sqlite.store import SqliteStore
from service.stores.traces.encoding import encode_piece
from service.stores.traces.open import open_traces
from service.stores.traces.traces import Traces
from tests.contract.traces_contract import (
    MOST,
    Opener,
    TracesContract,
    all_same,
    append,
    piece,
    trace,
)
from tests.contract.traces_of_processes_contract import TracesOfProcessesContract


@pytest.fixture
def url(file: Path) -> str:
    return f"sqlite:///{file}"


@pytest.fixture
def opener(url: str) -> Opener:
    return lambda: open_traces(url, timeout_seconds=1)


@pytest.fixture
def traces(opener: Opener) -> Iterator[Traces]:
    with closing(opener()) as traces:
        yield traces


@pytest.fixture
def beside(file: Path) -> Path:
    """Where the traces are."""
    return file.with_name("sessions-traces.db")


class TestSqliteTraces(TracesContract):
    """On the `traces` of this file."""


class TestProcesses(TracesOfProcessesContract):
    """On the `traces` of this file."""


def files(folder: Path) -> set[str]:
    return {one.name for one in folder.iterdir()}


def test_nothing_is_written_before_the_first_trace(
    traces: Traces, file: Path, beside: Path
) -> None:
    traces.recorded()
    traces.of_tenant("")
    traces.pieces("", "t")
    append(traces, piece(0))
    traces.delete("", "t")
    traces.purge(1e12)
    assert files(file.parent) == set()
    traces.create(trace(), [], most=MOST)
    assert beside.name in files(file.parent)


def test_they_are_not_in_the_file_of_sessions(traces: Traces, file: Path, beside: Path) -> None:
    with closing(SqliteStore(file)):
        traces.create(trace(), [piece(0)], most=MOST)
    for path, refused in ((beside, "sessions"), (file, "traces")):
        assert path.is_file(), refused
    with pytest.raises(StoreError, match="another application"):
        SqliteStore(beside)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("sqlite:///gatewise.db", "gatewise-traces.db"),
        ("sqlite:///with%20space", "with space-traces"),
        ("sqlite:///a.b.sqlite", "a.b-traces.sqlite"),
    ],
)
def test_the_file_is_beside_that_of_the_sessions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with closing(open_traces(url, timeout_seconds=1)) as traces:
        traces.create(trace(), [], most=MOST)
        assert (tmp_path / name).is_file()


def test_reopening_keeps_everything(opener: Opener) -> None:
    with closing(opener()) as traces:
        traces.create(trace(), [piece(0, stated=True)], most=MOST)
        append(traces, piece(1))
    with closing(opener()) as traces:
        assert traces.recorded() == [trace()]
        assert all_same(traces.pieces("", "t"), [piece(0, stated=True), piece(1)])


def test_a_foreign_file_is_refused_and_left_alone(traces: Traces, beside: Path) -> None:
    with closing(sqlite3.connect(beside)) as connection:
        connection.execute("CREATE TABLE trace (n INTEGER)")
        connection.commit()
    before = beside.read_bytes()
    for call in (traces.recorded, lambda: traces.create(trace(), [], most=MOST)):
        with pytest.raises(StoreError, match=f"{beside} is a database of another application"):
            call()
    assert beside.read_bytes() == before
    assert files(beside.parent) == {beside.name}


def test_a_file_of_a_later_release_is_refused(traces: Traces, opener: Opener, beside: Path) -> None:
    with closing(opener()) as first:
        first.create(trace(), [], most=MOST)
    with closing(sqlite3.connect(beside)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="has schema version 99, this release needs 1"):
        traces.recorded()


def test_what_is_no_database_is_refused(traces: Traces, beside: Path) -> None:
    beside.write_bytes(b"no database, and long enough to be looked at" * 100)
    with pytest.raises(StoreError, match="file is not a database; choose another file"):
        traces.recorded()


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda content: content[:63],
        lambda content: content[:70],
        lambda content: content + b"\x00",
        lambda content: b"\x02" + content[1:],
        lambda content: b"\x01x" + content[2:],
        lambda content: bytes(len(content)),
    ],
    ids=["empty", "head cut", "state cut", "longer", "format", "kind", "zeros"],
)
def test_a_damaged_piece_is_told_and_the_trace_can_be_deleted(
    traces: Traces, beside: Path, damage: Callable[[bytes], bytes]
) -> None:
    whole = piece(0, stated=True)
    traces.create(trace(), [whole], most=MOST)
    damaged = damage(encode_piece(whole))
    with closing(sqlite3.connect(beside, isolation_level=None)) as connection:
        assert connection.execute("UPDATE piece SET content = ?", (damaged,)).rowcount == 1
    with pytest.raises(StoreError, match="piece of a trace cannot be read"):
        traces.pieces("", "t")
    assert traces.find("", "t") == trace()
    assert traces.delete("", "t")


def test_damaged_pages_are_errors_of_the_store(
    traces: Traces, opener: Opener, beside: Path
) -> None:
    with closing(opener()) as first:
        pieces = [piece(number, steps=1000) for number in range(20)]
        first.create(trace(), pieces, most=MOST)
    content = bytearray(beside.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    beside.write_bytes(content)
    for call in (
        traces.recorded,
        lambda: traces.pieces("", "t"),
        lambda: append(traces, piece(30)),
        lambda: traces.create(trace(), [], most=MOST),
        lambda: traces.delete("", "t"),
        lambda: traces.purge(1e12),
    ):
        with pytest.raises(StoreError, match=str(beside)):
            call()


def test_a_file_that_was_taken_away_is_made_anew(traces: Traces, beside: Path) -> None:
    traces.create(trace(), [piece(0)], most=MOST)
    for one in list(beside.parent.glob("sessions-traces.db*")):
        one.unlink()
    assert traces.recorded() == []
    append(traces, piece(1))
    assert not beside.exists()
    traces.create(trace(), [piece(2)], most=MOST)
    assert all_same(traces.pieces("", "t"), [piece(2)])


def test_a_file_that_another_one_replaced(traces: Traces, opener: Opener, beside: Path) -> None:
    traces.create(trace(), [piece(0)], most=MOST)
    for one in list(beside.parent.glob("sessions-traces.db*")):
        one.unlink()
    with closing(opener()) as other:
        other.create(trace("new"), [piece(1)], most=MOST)
        assert [one.trace_id for one in traces.recorded()] == ["new"]
        append(traces, piece(2), trace_id="new")
        append(other, piece(3), trace_id="new")
        assert all_same(other.pieces("", "new"), [piece(1), piece(2), piece(3)])


def test_room_is_used_again(traces: Traces, beside: Path) -> None:
    """A trace that is full writes over what has left it."""
    traces.create(trace(max_bytes=2**18), [], most=MOST)
    for number in range(400):
        append(traces, piece(number, steps=1000, stated=True))
    assert beside.stat().st_size + beside.with_name(f"{beside.name}-wal").stat().st_size < 2**25
    traces.close()
    assert beside.stat().st_size < 2**20


def test_processes_that_make_the_first_trace_at_once(url: str, traces: Traces) -> None:
    creating = (
        "import sys; from service.stores.traces.open import open_traces;"
        "from tests.contract.traces_contract import trace;"
        "open_traces(sys.argv[1], timeout_seconds=1).create(trace(sys.argv[2]), [], most=9)"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", creating, url, f"{number}"], stderr=subprocess.PIPE, text=True
        )
        for number in range(3)
    ]
    said = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], said
    assert {one.trace_id for one in traces.recorded()} == {"0", "1", "2"}
