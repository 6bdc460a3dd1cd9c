"""The write-ahead log beside a SQLite file: kept short, however many processes write to it."""

import sqlite3
import time
from pathlib import Path

# Of SQLite's usual 4 kB. Its own 1000 make a step a quarter slower; above 4062 the log's index
# needs a second piece.
_PAGES = 3000
# The commit that completes the pages may go beyond them by a group.
_BYTES = (_PAGES + 256) * (4096 + 24)
# How often a process looks at the length; that takes as long as a third of a commit.
_COMMITS = 16
# How long writers may be held up, and how often: a slow reader, a backup say, may be in the way.
_PATIENCE_MS = 100
_WHILE_SECONDS = 1.0
_PAUSE_SECONDS = 2e-3

# Answers whether it was blocked, and the length of the log: negative if another process is at it.
_EMPTY = "PRAGMA wal_checkpoint(RESTART)"


class WriteAheadLog:
    """What a process does for the length of the log.

    SQLite copies the log into the file with the commit that brings it to `_PAGES`, but lets other
    processes write on meanwhile, and what they wrote keeps the log from starting anew: three busy
    ones make it a hundred megabytes long in seconds. So the first to see it too long holds the
    writers up while it copies the rest, and the others make way.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Of a connection in WAL mode."""
        self._connection = connection
        # SQLite follows links, and puts the log beside the file itself.
        file = connection.execute("PRAGMA database_list").fetchone()[2]
        self._path = Path(f"{file}-wal")
        self._commits_to_look = _COMMITS
        self._not_before = 0.0
        connection.execute(f"PRAGMA wal_autocheckpoint = {_PAGES}")
        # Where it did grow, it gives the room back when it starts anew.
        connection.execute(f"PRAGMA journal_size_limit = {_BYTES}")

    def committed(self) -> None:
        """To be called after every commit."""
        self._commits_to_look -= 1
        if self._commits_to_look > 0:
            return
        self._commits_to_look = _COMMITS
        if self._is_too_long() and time.monotonic() > self._not_before:
            self.empty()

    def empty(self) -> None:
        """Copy all of it into the file, so that it starts anew in the room that it has.

        Where another process is at it, let that one come to it. Where a reader is in the way, or
        the file cannot grow, the log goes on: what has no room in it is refused as a change.
        """
        try:
            self._connection.execute(f"PRAGMA busy_timeout = {_PATIENCE_MS}")
            blocked, pages, _ = self._connection.execute(_EMPTY).fetchone()
        except sqlite3.Error:
            blocked, pages = 1, 0
        finally:
            self._connection.execute("PRAGMA busy_timeout = 0")
        if blocked and pages < 0:
            time.sleep(_PAUSE_SECONDS)
            self._commits_to_look = 1
        elif blocked:
            self._not_before = time.monotonic() + _WHILE_SECONDS

    def _is_too_long(self) -> bool:
        try:
            return self._path.stat().st_size > _BYTES
        except OSError:
            # The commit is made; whatever happened to its log is for the next one to find out.
            return False
