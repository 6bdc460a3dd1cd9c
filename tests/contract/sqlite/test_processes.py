"""Several processes that write to one SQLite file, some of them killed."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from service.errors import SessionExists, StoreError
from service.stores.sqlite.store import SqliteStore
from service.stores.store import Session
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
from tests.waiting import wait_until

ROOT = Path(__file__).parents[3]
DEADLINE_SECONDS = 60.0
IDS = list("abcde")
TOKEN_BYTES = 8


def test_connections_see_each_others_commits(file: Path, store: SqliteStore) -> None:
    with closing(SqliteStore(file)) as other:
        store.create(session())
        assert same(read(other), session())
        with pytest.raises(SessionExists):
            other.create(session())
        after = step(other, session())
        assert replaced(store, (session(), after)) == [False]
        assert same(read(store), after)


def test_processes_that_start_at_once_on_a_new_file(file: Path) -> None:
    opening = (
        "from pathlib import Path; from service.stores.sqlite.store import SqliteStore; import sys;"
    )
    opening += "SqliteStore(Path(sys.argv[1])).close()"
    command = [sys.executable, "-c", opening, str(file)]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    said = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0], said


# Steps some of the sessions at a time and leaves a token in each; a token that was confirmed is
# written down before anything else is done.
STEPPING = """
import os, random, secrets, sys
from dataclasses import replace
from pathlib import Path
from service.stores.sqlite.store import SqliteStore
from service.stores.store import Identity

file, confirmed, number, ids = sys.argv[1:]
store = SqliteStore(Path(file))
log = os.open(confirmed, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
while True:
    found = store.read([Identity("", one) for one in random.sample(ids, 3)])
    number = int(number) + 1
    after = [
        replace(one, step=one.step + 1, revision=secrets.randbits(63), changes=one.changes + 1,
                receipts=one.receipts + number.to_bytes(4, "big") + one.session_id.encode() * 4)
        for one in found
    ]
    won = store.replace(after, [one.revision for one in found])
    assert all(isinstance(one, bool) for one in won), won
    os.write(log, b"".join(one.receipts[-8:] for one, yes in zip(after, won) if yes))
"""


class Stepper:
    """A process that steps the sessions until it is killed."""

    def __init__(self, file: Path, first_number: int) -> None:
        self.confirmed = file.parent / f"confirmed {first_number}"
        command = [sys.executable, "-c", STEPPING, str(file), str(self.confirmed)]
        command += [str(first_number), "".join(IDS)]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    def tokens(self) -> list[bytes]:
        """Of the steps that the store confirmed to it."""
        written = self.confirmed.read_bytes() if self.confirmed.exists() else b""
        return [written[at : at + TOKEN_BYTES] for at in range(0, len(written), TOKEN_BYTES)]

    def wait_for(self, steps: int) -> None:
        start = len(self.tokens())
        wait_until(
            self._has_ended_or(start + steps),
            lambda: f"{steps} steps of {self.confirmed.name}",
            DEADLINE_SECONDS,
        )
        assert self._process.poll() is None, self._process.communicate()[1]

    def _has_ended_or(self, steps: int) -> Callable[[], bool]:
        return lambda: self._process.poll() is not None or len(self.tokens()) >= steps

    def kill(self) -> None:
        """With -9; it must not have ended by itself, on an error say."""
        self._process.kill()
        said = self._process.communicate(timeout=DEADLINE_SECONDS)[1]
        assert self._process.returncode == -signal.SIGKILL, said

    def end(self) -> None:
        """However the test went."""
        with self._process:
            self._process.kill()


def test_no_step_is_lost_or_doubled_while_processes_race_and_are_killed(
    file: Path, store: SqliteStore
) -> None:
    for session_id in IDS:
        store.create(session(session_id, step=0, changes=0))
    kills = 10
    with ExitStack() as ending:
        steppers = []
        for number in range(1, 4 + kills):
            steppers.append(Stepper(file, 1_000_000 * number))
            ending.callback(steppers[-1].end)
            if len(steppers) > 3:
                steppers[-4].wait_for(30)
                steppers[-4].kill()
        for stepper in steppers[-3:]:
            stepper.wait_for(200)
            stepper.kill()
    assert_every_step_counts(store, steppers)


def assert_every_step_counts(store: SqliteStore, steppers: list[Stepper]) -> None:
    """Each confirmed step is there once; of the others, what each process had in its hands."""
    confirmed = [token for stepper in steppers for token in stepper.tokens()]
    stored = []
    for one in map(whole, store.read(identities(*IDS))):
        assert one.step == one.changes == len(one.receipts) // TOKEN_BYTES
        stored += [
            one.receipts[at : at + TOKEN_BYTES] for at in range(0, len(one.receipts), TOKEN_BYTES)
        ]
    assert len(set(stored)) == len(stored)
    assert set(confirmed) <= set(stored)
    assert len(confirmed) > 900
    in_hand = {int.from_bytes(token[:4], "big") for token in set(stored) - set(confirmed)}
    assert len(in_hand) <= len(steppers)


# Steps a group of sessions, each on pages of its own, and reports how long each commit took.
WRITING = """
import json, sys, time
from pathlib import Path
import numpy as np
from service.stores.sqlite.store import SqliteStore
from tests.contract.sessions import moved, session, whole

store = SqliteStore(Path(sys.argv[1]))
group = [session(f"{sys.argv[2]} {n}", state=np.zeros(900, np.float32)) for n in range(32)]
for one in group:
    store.create(one)
seconds = []
print("ready", flush=True)
sys.stdin.readline()
for _ in range(int(sys.argv[3])):
    group = [whole(one) for one in store.read([one.identity for one in group])]
    after = [moved(one) for one in group]
    start = time.perf_counter()
    assert store.replace(after, [one.revision for one in group]) == [True] * 32
    seconds.append(time.perf_counter() - start)
print(json.dumps(seconds))
"""


def test_the_log_stays_short_while_processes_write_without_a_pause(
    file: Path, store: SqliteStore
) -> None:
    """They write 400 MB; left to SQLite alone the log would hold most of that."""
    store.create(session())
    log, lengths = file.with_name("sessions.db-wal"), [0]
    with writing(file) as writers:

        def ended() -> bool:
            lengths.append(log.stat().st_size)
            return all(writer.poll() is not None for writer in writers)

        wait_until(ended, lambda: "the writers end", DEADLINE_SECONDS)
        seconds = [json.loads(writer.communicate()[0]) for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert 100e6 < max(lengths) < 256e6
    assert max(max(one) for one in seconds) < 5, "nobody starves"
    assert_log_ended(file, store)


def assert_log_ended(file: Path, store: SqliteStore) -> None:
    """What the threads copied is in the file, whole."""
    store.close()
    assert not file.with_name("sessions.db-wal").exists()
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@contextmanager
def writing(file: Path) -> Iterator[list[subprocess.Popen[str]]]:
    """Three processes that begin to write together."""
    with ExitStack() as ending:
        writers = []
        for number in range(3):
            writer = subprocess.Popen(
                [sys.executable, "-c", WRITING, str(file), str(number), "1000"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=ROOT,
            )
            ending.enter_context(writer)
            ending.callback(writer.kill)
            writers.append(writer)
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.write("go\n")
            writer.stdin.flush()
        yield writers


@pytest.fixture
def short_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.stores.sqlite.log._COPIED_BYTES", 12_000_000)
    monkeypatch.setattr("service.stores.sqlite.log._LONG_BYTES", 20_000_000)


def test_a_slow_reader_holds_up_nobody_and_its_log_is_given_back(
    short_log: None, file: Path, store: SqliteStore
) -> None:
    """A backup, for instance, which reads for minutes while the log cannot start anew."""
    del short_log  # in force before the store is opened
    group = [session(str(index), state=np.zeros(900, np.float32)) for index in range(64)]
    for one in group:
        store.create(one)
    log = file.with_name("sessions.db-wal")
    seconds = []
    with closing(sqlite3.connect(file, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM progress").fetchone()
        while log.stat().st_size < 40e6:
            start = time.monotonic()
            group = steps(store, group)
            seconds.append(time.monotonic() - start)
    assert max(seconds) < 2
    assert sum(one > 0.09 for one in seconds) <= 2 + 2 * sum(seconds), "held up now and then only"
    wait_until(
        lambda: step_and_measure(store, group, log) < 16e6,
        lambda: "the log is short again",
        DEADLINE_SECONDS,
    )


def step_and_measure(store: SqliteStore, group: list[Session], log: Path) -> int:
    group[:] = steps(store, group)
    return log.stat().st_size


def test_a_locked_file_is_waited_for_and_then_reported(
    file: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.create(session())
    monkeypatch.setattr("service.stores.sqlite.file._BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        pair = session(), moved(session())
        for group in ([pair], [pair, pair]):
            for outcome in replaced(store, *group):
                assert isinstance(outcome, StoreError)
                assert "sessions.db: database is locked; another" in str(outcome)
        assert same(read(store), session()), "reading goes on"
    step(store, session())


def test_what_a_killed_process_left_in_its_log(file: Path) -> None:
    writing = (
        "import os, sys; from pathlib import Path;"
        "from service.stores.sqlite.store import SqliteStore;"
        "from tests.contract.sessions import session, step; store = SqliteStore(Path(sys.argv[1]));"
        "store.create(session()); step(store, session()); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", writing, str(file)], check=False, cwd=ROOT)
    log = file.with_name("sessions.db-wal")
    with log.open("ab") as torn:
        torn.write(os.urandom(5000))
    with closing(SqliteStore(file)) as store:
        stored, expected = found_in(store), moved(session())
        assert (stored.step, stored.revision) == (expected.step, expected.revision)
    assert not log.exists()
