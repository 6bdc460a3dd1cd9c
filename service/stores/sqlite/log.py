"""The write-ahead log beside a SQLite file: kept short, however many processes write to it."""

import sqlite3
import time
from pathlib import Path

from service.stores.sqlite.checkpoints import Checkpoints

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
