"""The write-ahead log beside a SQLite file: kept short, however many processes write to it."""

import contextlib
import random
import sqlite3
import threading
import time
from pathlib import Path

import structlog

log = structlog.get_logger()

# A page of SQLite's usual 4 kB, and what the log says of it.
_PAGE_BYTES = 4096 + 24
# So long the log gets before it is copied. A page that was written many times is copied once, and
# nobody can commit while the log starts anew and the disk confirms that: 5 to 40 ms, which must
# not happen to one commit in a hundred.
_COPIED_BYTES = 28_000 * _PAGE_BYTES
# Longer than this, those who write wait for those who copy, if it helps.
_LONG_BYTES = 44_000 * _PAGE_BYTES
_TOO_LONG_BYTES = 52_000 * _PAGE_BYTES
# How often a process looks at the length; that takes as long as a third of a small commit.
_ROWS = 64
_PAUSE_SECONDS = 2e-3

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


class WriteAheadLog:
    """What the threads that commit do for the length of the log.

    Left to SQLite, the commit that brings the log to a length copies it into the file, which takes
    30 ms and more; and where other processes write meanwhile, what they wrote keeps the log from
    starting anew. So a thread of its own copies it, in each process. Where it cannot keep up,
    those who write make way.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Of a connection in WAL mode. Raises sqlite3.Error."""
        self._connection = connection
        # SQLite follows links, and puts the log beside the file itself.
        file = connection.execute("PRAGMA database_list").fetchone()[2]
        self.path = Path(f"{file}-wal")
        self._looked_at = connection.total_changes
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        # Where it grew beyond that, it gives the room back when it starts anew. What it keeps is
        # written over, which costs the disk less than new room.
        connection.execute(f"PRAGMA journal_size_limit = {_COPIED_BYTES}")
        self._checkpoints = Checkpoints(file)

    def committed(self) -> None:
        """To be called after every commit."""
        changes = self._connection.total_changes
        if changes - self._looked_at < _ROWS:
            return
        self._looked_at = changes
        length = self._length()
        if length <= _COPIED_BYTES:
            return
        self._checkpoints.wake()
        if length > _LONG_BYTES and not self._checkpoints.in_vain:
            # The longer, the more often.
            time.sleep(_PAUSE_SECONDS)
            if length > _TOO_LONG_BYTES:
                self._looked_at -= _ROWS

    def empty(self) -> None:
        """Copy all of it into the file now, so that it starts anew in the room that it has.

        Where a reader is in the way, or the file cannot grow, the log goes on: what has no room in
        it is refused as a change.
        """
        self._checkpoints.run()

    def close(self) -> None:
        """End the thread."""
        self._checkpoints.close()

    def _length(self) -> int:
        try:
            return self.path.stat().st_size
        except OSError:
            # The commit is made; whatever happened to its log is for others to find out.
            return 0


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
            self._restart(others=True)

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
                return self._copy()
        except sqlite3.Error as error:
            # A log line is not worth the thread.
            with contextlib.suppress(Exception):
                log.warning("checkpoint_failed", detail=str(error))
            return False

    def _copy(self) -> bool:
        """Copy until the rest is short, then all of it.

        False where somebody has been reading for longer than one round of copying takes.
        """
        before = 0
        for _ in range(_ROUNDS):
            _, pages, copied = self._execute(_COPY)
            if pages < 0:  # another process is at it
                return True
            if copied < before:
                return False
            if pages - copied <= _SHORT_REST_PAGES:
                break
            before = pages
        self._restart(others=False)
        return True

    def _restart(self, *, others: bool) -> None:
        """Try for a while; `others` waits for other processes that are at it too.

        SQLite's own waiting would hold up those who write while it waits for those who read.
        """
        deadline, pause = time.monotonic() + _PATIENCE_SECONDS, _SHORTEST_PAUSE
        while True:
            blocked, pages, _ = self._execute(_COPY_AND_RESTART)
            if not blocked or (pages < 0 and not others) or time.monotonic() > deadline:
                return
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _execute(self, statement: str) -> tuple[int, int, int]:
        row: tuple[int, int, int] = self._connection.execute(statement).fetchone()
        return row
