"""What ONNX Runtime and SQLite take by themselves, with nothing of a service around them."""

import sqlite3
import time
import timeit
from itertools import repeat
from pathlib import Path

import numpy as np

from benchmarks.tools.cores import SERVER_CORE, on_core
from benchmarks.tools.filled_store import TTL_SECONDS, fill
from benchmarks.tools.workload import HIDDEN_SIZE, ROW, bundle_of
from service.bundle.bundle import read_bundle
from service.engine.provider import Provider

# The service's own settings, and the length of its log.
_SETTINGS = ("synchronous = NORMAL", "cache_size = -65536", "wal_autocheckpoint = 28000")
# All that a durable step moves. With the usual ABORT in place of ROLLBACK it takes longer.
_STATEMENT = """
UPDATE OR ROLLBACK progress
SET revision = ?, changes = ?, step = ?, expires_at = ?, state = ? WHERE n = ?
"""


def sequence_us(folder: Path, time_steps: int) -> float:
    """One run of the sequence graph for one session, the best of several tries."""
    session = Provider().open(read_bundle(bundle_of(folder)).sequence_graph.read_bytes())
    inputs = np.tile(np.array(ROW, np.float32), (1, time_steps, 1))
    feed = {"input": inputs, "state": np.zeros((1, HIDDEN_SIZE), np.float32)}
    with on_core(SERVER_CORE):
        runs = timeit.repeat(lambda: session.run(["output", "states"], feed), repeat=5, number=20)
    return min(runs) / 20 * 1e6


class BareLoop:
    """Groups of always the same sessions: one run and one commit each, and nothing else.

    The commit is the fastest that SQLite's module for Python has for the service's own table: one
    `executemany` of rows found by number. Nobody reads, compares, or answers.
    """

    def __init__(self, folder: Path, sessions: int) -> None:
        """Makes a file of its own in a workplace."""
        file = folder / "bare.db"
        fill(file, 0, sessions, HIDDEN_SIZE)
        self._database = sqlite3.connect(file, isolation_level=None)
        for setting in _SETTINGS:
            self._database.execute(f"PRAGMA {setting}")
        self._numbers = [n for (n,) in self._database.execute("SELECT n FROM progress")]
        self._graph = Provider().open(read_bundle(bundle_of(folder)).step_graph.read_bytes())
        self._inputs = np.tile(np.array(ROW, np.float32), (sessions, 1))
        self._state = np.zeros((sessions, HIDDEN_SIZE), np.float32)
        self._step = 0

    def steps_per_second(self, seconds: float) -> float:
        """On the server's core, all sessions together."""
        with on_core(SERVER_CORE):
            first, began = self._step, time.perf_counter()
            while (taken := time.perf_counter() - began) < seconds:
                self.advance()
        return (self._step - first) * len(self._numbers) / taken

    def advance(self) -> None:
        """One step of all sessions."""
        self._run()
        self._commit()

    def _run(self) -> None:
        feed = {"input": self._inputs, "state": self._state}
        _, self._state = self._graph.run(["output", "next_state"], feed)

    def _commit(self) -> None:
        self._step += 1
        moved = [repeat(self._step)] * 3
        expires_at = repeat(time.time() + TTL_SECONDS)
        states = [state.tobytes() for state in self._state]
        self._database.execute("BEGIN IMMEDIATE")
        rows = zip(*moved, expires_at, states, self._numbers, strict=False)
        self._database.executemany(_STATEMENT, rows)
        self._database.execute("COMMIT")

    def close(self) -> None:
        self._database.close()
