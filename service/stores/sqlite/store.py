"""A store in one SQLite file: durable, for any number of processes on one machine."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from service.errors import SessionExists, StoreError
from service.stores.sqlite.errors import damaged, explained, is_busy
from service.stores.sqlite.file import Durability, SqliteFile, changing, reading
from service.stores.sqlite.schema import expiry_slot
from service.stores.store import Found, Position, Replaced, Session

# SQLite accepts at least 999 bound variables in every build.
_READ_CHUNK = 500

# In the order of the fields of Session.
_COLUMNS = (
    "session_id, model, version, step, revision, state, created_at, expires_at, ttl_seconds, "
    "metadata, receipts"
)
_CREATE = f"""
INSERT INTO sessions ({_COLUMNS}, expiry_slot) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (session_id) DO UPDATE
SET model = excluded.model, version = excluded.version, step = excluded.step,
    revision = excluded.revision, expires_at = excluded.expires_at,
    created_at = excluded.created_at, ttl_seconds = excluded.ttl_seconds, state = excluded.state,
    metadata = excluded.metadata, receipts = excluded.receipts, expiry_slot = excluded.expiry_slot
WHERE sessions.expires_at <= excluded.created_at
"""
# Sets no column of any index, and so writes to the table alone.
_REPLACE_IN_SLOT = """
UPDATE sessions
SET version = ?1, step = ?2, revision = ?3, state = ?4, expires_at = ?5, ttl_seconds = ?6,
    metadata = ?7, receipts = ?8
WHERE session_id = ?10 AND revision = ?11 AND expiry_slot = ?9
"""
# The same values for a session that ends in another slot than it did.
_REPLACE = """
UPDATE sessions
SET version = ?1, step = ?2, revision = ?3, state = ?4, expires_at = ?5, ttl_seconds = ?6,
    metadata = ?7, receipts = ?8, expiry_slot = ?9
WHERE session_id = ?10 AND revision = ?11
"""
_DELETE = "DELETE FROM sessions WHERE session_id = ?1 AND (?2 IS NULL OR revision = ?2)"
_PAGE = f"""
SELECT {_COLUMNS} FROM sessions WHERE (model, session_id) >= (?, ?)
ORDER BY model, session_id LIMIT ?
"""
_PAGE_OF_MODEL = f"""
SELECT {_COLUMNS} FROM sessions WHERE model = ? AND session_id >= ? ORDER BY session_id LIMIT ?
"""
_COUNT = """
SELECT (SELECT count(*) FROM sessions WHERE expiry_slot > ?1)
     + (SELECT count(*) FROM sessions WHERE expiry_slot = ?1 AND expires_at > ?2)
"""
_PURGE = """
DELETE FROM sessions WHERE rowid IN
(SELECT rowid FROM sessions WHERE expiry_slot <= ? AND expires_at < ? LIMIT ?)
"""

_Row = tuple[str, str, int, int, int, bytes, float, float, float, bytes, bytes]


class SqliteStore:
    """Sessions in a SQLite file in WAL mode.

    With durability `normal` an answered step survives the death of the process; with `full`
    every commit waits for the disk and survives power loss too.
    """

    def __init__(self, path: Path, durability: Durability = "normal") -> None:
        """Open or create the file. Raises StoreError for one that is not ours, or is unreadable."""
        self.file = SqliteFile(path, durability)
        self._connection = self.file.connection

    @changing
    def create(self, session: Session) -> None:
        cursor = self._connection.execute(
            _CREATE,
            (
                session.session_id,
                session.model,
                session.version,
                session.step,
                session.revision,
                session.state.tobytes(),
                session.created_at,
                session.expires_at,
                session.ttl_seconds,
                session.metadata,
                session.receipts,
                expiry_slot(session.expires_at),
            ),
        )
        if cursor.rowcount != 1:
            raise SessionExists(session.session_id)

    @reading
    def read(self, session_ids: Sequence[str]) -> list[Found]:
        try:
            return self._read(session_ids)
        except sqlite3.Error as error:
            if is_busy(error):
                raise
            # Where a part of the file is damaged, the sessions in the rest of it go on.
            found = [self._read_alone(session_id) for session_id in session_ids]
            if all(isinstance(one, StoreError) for one in found):
                raise
            return found

    def _read(self, session_ids: Sequence[str]) -> list[Found]:
        found: dict[str, Found] = {}
        for start in range(0, len(session_ids), _READ_CHUNK):
            chunk = session_ids[start : start + _READ_CHUNK]
            marks = ", ".join("?" * len(chunk))
            rows = self._connection.execute(
                f"SELECT {_COLUMNS} FROM sessions WHERE session_id IN ({marks})", chunk
            )
            found.update((row[0], _session(row)) for row in rows)
        return [found.get(session_id) for session_id in session_ids]

    def _read_alone(self, session_id: str) -> Found:
        try:
            return self._read([session_id])[0]
        except sqlite3.Error as error:
            return explained(self.file.path, error, changing=False)

    @changing
    def replace(self, sessions: Sequence[Session]) -> list[Replaced]:
        if len(sessions) == 1:
            # One statement is a transaction of its own, with three trips into SQLite less.
            return [self._replace(sessions[0])]
        with self.file.transaction():
            return [self._replace(session) for session in sessions]

    def _replace(self, session: Session) -> bool:
        slot = expiry_slot(session.expires_at)
        values = (
            session.version,
            session.step,
            session.revision,
            session.state.tobytes(),
            session.expires_at,
            session.ttl_seconds,
            session.metadata,
            session.receipts,
            slot,
            session.session_id,
            session.revision - 1,
        )
        execute = self._connection.execute
        return (
            execute(_REPLACE_IN_SLOT, values).rowcount == 1
            or execute(_REPLACE, values).rowcount == 1
        )

    @changing
    def delete(self, session_id: str, revision: int | None = None) -> bool:
        return self._connection.execute(_DELETE, (session_id, revision)).rowcount == 1

    @reading
    def page(self, *, model: str | None, after: Position, limit: int) -> list[Session]:
        # No string lies between one and the same with a zero behind it.
        behind = (after[0], after[1] + "\0")
        if model is None:
            rows = self._connection.execute(_PAGE, (*behind, limit))
        else:
            first = max(behind, (model, ""))
            if first[0] != model:
                return []
            rows = self._connection.execute(_PAGE_OF_MODEL, (*first, limit))
        return [_session(row) for row in rows]

    @reading
    def count(self, now: float) -> int:
        count: int = self._connection.execute(_COUNT, (expiry_slot(now), now)).fetchone()[0]
        return count

    @changing
    def purge(self, expired_before: float, limit: int) -> int:
        slot = expiry_slot(expired_before)
        return self._connection.execute(_PURGE, (slot, expired_before, limit)).rowcount

    def another(self) -> None:
        return None

    def close(self) -> None:
        self.file.close()


def _session(row: _Row) -> Session:
    try:
        state = np.frombuffer(row[5], np.float32)
    except (TypeError, ValueError) as error:
        raise damaged(f"the state of session {row[0]!r} is no vector of float32") from error
    return Session(*row[:5], state, *row[6:])
