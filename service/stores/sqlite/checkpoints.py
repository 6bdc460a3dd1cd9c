"""Copying the log of a SQLite file into it, on a thread that commits nothing."""

import contextlib
import random
import sqlite3
import threading
import time
from enum import Enum, auto

import structlog

log = structlog.get_logger()

# Both answer whether they were blocked, how many pages the log has (negative if another process is
# at it), and how many of them have been copied. The first holds nobody up, but leaves what is
# written meanwhile; the second copies the rest while nobody can write.
_COPY = "PRAGMA wal_checkpoint(PASSIVE)"
_COPY_AND_RESTART = "PRAGMA wal_checkpoint(RESTART)"

# The rest that is copied while nobody can write, and how often to try for one so short.
_SHORT_REST_PAGES = 128
_ROUNDS = 8
# How long to try for a moment in which nobody writes or reads.
_PATIENCE_SECONDS = 0.1
_SHORTEST_PAUSE = 50e-6
_LONGEST_PAUSE = 1e-3
# A slow reader, a backup say, keeps the log from starting anew for as long as it reads. And what
# went wrong once is not tried again at once.
_WHILE_SECONDS = 1.0


class _Outcome(Enum):
    RESTARTED = auto()
    NOT_YET = auto()
    """Those who write never paused; or another process is at it."""
    READER = auto()
    """Somebody has been reading for longer than one round of copying takes."""


class Checkpoints:
    """The checkpoints of one process: by a thread when it is woken, or by the caller."""

    def __init__(self, file: str) -> None:
        """Of a file in WAL mode. Raises sqlite3.Error."""
        # Opened now, since later there may be another file.
        self._connection = sqlite3.connect(
            file, timeout=0, isolation_level=None, check_same_thread=False
        )
        self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        self._at_it = threading.Lock()
        self._woken = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self.in_vain = False
        """Whether nothing is won by waiting for the latest ones."""

    def wake(self) -> None:
        """Let the thread make the log start anew; begins the thread the first time."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
            self._thread.start()
        self._woken.set()

    def run(self) -> None:
        """Make the log start anew by the time this returns, if that can be."""
        with self._at_it, contextlib.suppress(sqlite3.Error):
            self._restart(time.monotonic() + _PATIENCE_SECONDS, others=True)

    def close(self) -> None:
        """End the thread, and release the file. No other call follows."""
        self._closing.set()
        self._woken.set()
        if self._thread is not None:
            self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while True:
            self._woken.wait()
            self._woken.clear()
            if self._closing.is_set():
                return
            self.in_vain = not self._shorten()
            if self.in_vain:
                self._closing.wait(_WHILE_SECONDS)

    def _shorten(self) -> bool:
        """False where nothing will be won by another try soon."""
        try:
            with self._at_it:
                return self._copy() is not _Outcome.READER
        except sqlite3.Error as error:
            # A log line is not worth the thread.
            with contextlib.suppress(Exception):
                log.warning("checkpoint_failed", detail=str(error))
            return False

    def _copy(self) -> _Outcome:
        """Copy until the rest is short, then all of it."""
        before = 0
        for _ in range(_ROUNDS):
            _, pages, copied = self._execute(_COPY)
            if pages < 0:
                return _Outcome.NOT_YET
            if copied < before:
                return _Outcome.READER
            if pages - copied <= _SHORT_REST_PAGES:
                break
            before = pages
        return self._restart(time.monotonic() + _PATIENCE_SECONDS, others=False)

    def _restart(self, deadline: float, *, others: bool) -> _Outcome:
        """Try until the deadline; `others` waits for other processes that are at it too.

        SQLite's own waiting would hold up those who write while it waits for those who read.
        """
        pause = _SHORTEST_PAUSE
        while True:
            blocked, pages, _ = self._execute(_COPY_AND_RESTART)
            if not blocked:
                return _Outcome.RESTARTED
            if (pages < 0 and not others) or time.monotonic() > deadline:
                return _Outcome.NOT_YET
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _execute(self, statement: str) -> tuple[int, int, int]:
        row: tuple[int, int, int] = self._connection.execute(statement).fetchone()
        return row
