"""A store in one SQLite file: durable, for any number of processes on one machine."""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Concatenate, Literal, ParamSpec, TypeVar

import numpy as np

from service.errors import SessionExists, StoreError
from service.stores.store import Session

# Stamped into the file's header, so that no other application's database is ever taken for ours.
_APPLICATION_ID = 0x47_57_53_45  # "GWSE"
_SCHEMA_VERSION = 1
_BUSY_TIMEOUT_MS = 5000
# SQLite accepts at least 999 bound variables in every build.
_READ_CHUNK = 500

_SCHEMA = """
CREATE TABLE sessions (
    session_id  TEXT PRIMARY KEY NOT NULL,
    model       TEXT NOT NULL,
    version     INTEGER NOT NULL,
    step        INTEGER NOT NULL,
    revision    INTEGER NOT NULL,
    state       BLOB NOT NULL,
    created_at  REAL NOT NULL,
    expires_at  REAL NOT NULL,
    ttl_seconds REAL NOT NULL
) STRICT
"""
_COLUMNS = "session_id, model, version, step, revision, state, created_at, expires_at, ttl_seconds"
_CREATE = f"""
INSERT INTO sessions ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (session_id) DO UPDATE
SET model = excluded.model, version = excluded.version, step = excluded.step,
    revision = excluded.revision, state = excluded.state, created_at = excluded.created_at,
    expires_at = excluded.expires_at, ttl_seconds = excluded.ttl_seconds
WHERE sessions.expires_at <= excluded.created_at
"""
_REPLACE = """
UPDATE sessions
SET model = ?, version = ?, step = ?, revision = ?, state = ?, expires_at = ?, ttl_seconds = ?
WHERE session_id = ? AND revision = ?
"""

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _explained(
    method: Callable[Concatenate["SqliteStore", _P], _R],
) -> Callable[Concatenate["SqliteStore", _P], _R]:
    """Turn what SQLite raises into a StoreError that names the file."""

    @wraps(method)
    def call(store: "SqliteStore", /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return method(store, *args, **kwargs)
        except sqlite3.Error as error:
            raise StoreError(f"session store {store.path}: {error}") from error

    return call


class SqliteStore:
    """Sessions in a SQLite file in WAL mode.

    With durability `normal` an answered step survives the death of the process; with `full`
    every commit waits for the disk and survives power loss too.
    """

    def __init__(self, path: Path, durability: Literal["normal", "full"] = "normal") -> None:
        """Open or create the file. Raises StoreError for one that is not ours, or is unreadable."""
        self.path = path
        self._open(durability)

    @_explained
    def _open(self, durability: Literal["normal", "full"]) -> None:
        self._connection = sqlite3.connect(
            self.path, isolation_level=None, check_same_thread=False, cached_statements=64
        )
        try:
            self._prepare(durability)
        except BaseException:
            # An open connection would leave its -wal and -shm files beside a file not ours.
            self._connection.close()
            raise

    def _prepare(self, durability: Literal["normal", "full"]) -> None:
        self._connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
        # Look before anything is written: a foreign file must stay as it is.
        with self._transaction():
            self._adopt()
        self._switch_to_wal()
        self._connection.execute(f"PRAGMA synchronous = {durability.upper()}")

    def _switch_to_wal(self) -> None:
        """Retried by hand: SQLite's own waiting does not cover a change of the journal's mode."""
        deadline = time.monotonic() + _BUSY_TIMEOUT_MS / 1000
        while True:
            try:
                mode = self._connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            except sqlite3.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
                continue
            if mode != "wal":
                raise StoreError(
                    f"session store {self.path}: this file system cannot hold a write-ahead log "
                    f"(the journal's mode stays {mode!r}); choose a local disk"
                )
            return

    def _adopt(self) -> None:
        """Create the schema in an empty file; refuse a file of another application or version."""
        application_id = self._pragma("application_id")
        tables = self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if tables == 0 and application_id == 0:
            self._connection.execute(_SCHEMA)
            self._connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            self._connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
        elif application_id != _APPLICATION_ID:
            raise StoreError(
                f"{self.path} is a database of another application; choose another file"
            )
        elif (found := self._pragma("user_version")) != _SCHEMA_VERSION:
            raise StoreError(
                f"{self.path} has schema version {found}, this release needs {_SCHEMA_VERSION}"
            )

    def _pragma(self, name: str) -> int:
        value: int = self._connection.execute(f"PRAGMA {name}").fetchone()[0]
        return value

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            # After some errors, a full disk among them, SQLite has rolled back already.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    @_explained
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
            ),
        )
        if cursor.rowcount != 1:
            raise SessionExists(session.session_id)

    @_explained
    def read(self, session_ids: Sequence[str]) -> list[Session | None]:
        found: dict[str, Session] = {}
        for start in range(0, len(session_ids), _READ_CHUNK):
            chunk = session_ids[start : start + _READ_CHUNK]
            marks = ", ".join("?" * len(chunk))
            rows = self._connection.execute(
                f"SELECT {_COLUMNS} FROM sessions WHERE session_id IN ({marks})", chunk
            )
            found.update((row[0], _session(row)) for row in rows)
        return [found.get(session_id) for session_id in session_ids]

    @_explained
    def replace(self, sessions: Sequence[Session]) -> list[bool]:
        if len(sessions) == 1:
            # One statement is a transaction of its own, with three trips into SQLite less.
            return [self._replace(sessions[0])]
        with self._transaction():
            return [self._replace(session) for session in sessions]

    def _replace(self, session: Session) -> bool:
        cursor = self._connection.execute(
            _REPLACE,
            (
                session.model,
                session.version,
                session.step,
                session.revision,
                session.state.tobytes(),
                session.expires_at,
                session.ttl_seconds,
                session.session_id,
                session.revision - 1,
            ),
        )
        return cursor.rowcount == 1

    @_explained
    def delete(self, session_id: str) -> bool:
        cursor = self._connection.execute(
            "DELETE FROM sessions WHERE session_id = ?", (session_id,)
        )
        return cursor.rowcount == 1

    @_explained
    def page(self, *, model: str | None, after: str, limit: int) -> list[Session]:
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM sessions WHERE session_id > ? AND (? IS NULL OR model = ?) "
            "ORDER BY session_id LIMIT ?",
            (after, model, model, limit),
        )
        return [_session(row) for row in rows]

    @_explained
    def purge(self, expired_before: float) -> int:
        cursor = self._connection.execute(
            "DELETE FROM sessions WHERE expires_at < ?", (expired_before,)
        )
        return cursor.rowcount

    @_explained
    def close(self) -> None:
        self._connection.close()


def _session(row: tuple[str, str, int, int, int, bytes, float, float, float]) -> Session:
    session_id, model, version, step, revision, state, created_at, expires_at, ttl_seconds = row
    return Session(
        session_id=session_id,
        model=model,
        version=version,
        step=step,
        revision=revision,
        state=np.frombuffer(state, np.float32),
        created_at=created_at,
        expires_at=expires_at,
        ttl_seconds=ttl_seconds,
    )
