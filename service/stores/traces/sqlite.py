"""Traces in a SQLite file of their own, for any number of processes on one machine.

The file is made with the first trace. Before that, looking for one takes a look at its folder, and
nothing is written.
"""

from collections.abc import Sequence
from pathlib import Path
from threading import RLock
from typing import Any, NamedTuple

from service.errors import StoreError
from service.stores.sqlite.file import SqliteFile, changing, reading
from service.stores.sqlite.schema import Schema
from service.stores.traces.encoding import STATEFUL_AT, decode_piece, encode_piece
from service.stores.traces.traces import Addition, Piece, Trace, check_room

_VERSION_1 = (
    """
    CREATE TABLE trace (
        n          INTEGER PRIMARY KEY,
        tenant     TEXT NOT NULL,
        trace_id   TEXT NOT NULL,
        session_id TEXT,
        model      TEXT NOT NULL,
        version    INTEGER NOT NULL,
        created_at REAL NOT NULL,
        expires_at REAL NOT NULL,
        max_bytes  INTEGER NOT NULL,
        about      BLOB NOT NULL,
        bytes      INTEGER NOT NULL,
        UNIQUE (tenant, trace_id)
    ) STRICT
    """,
    """
    CREATE TABLE piece (
        n        INTEGER PRIMARY KEY,
        trace    INTEGER NOT NULL,
        changes  INTEGER NOT NULL,
        bytes    INTEGER NOT NULL,
        stateful INTEGER NOT NULL,
        content  BLOB NOT NULL
    ) STRICT
    """,
    "CREATE INDEX piece_of_trace ON piece (trace, n, bytes, stateful, changes)",
    "CREATE INDEX recorded ON trace (session_id) WHERE session_id IS NOT NULL",
)
SCHEMA = Schema("traces", 0x47_57_54_52, (_VERSION_1,))  # "GWTR"

_FIELDS = "tenant, trace_id, session_id, model, version, created_at, expires_at, max_bytes, about"
_FIND = f"SELECT {_FIELDS} FROM trace WHERE tenant = ? AND trace_id = ?"
_OF_TENANT = f"""
SELECT {_FIELDS} FROM trace WHERE tenant = ?1 AND (?2 IS NULL OR session_id = ?2)
ORDER BY created_at, trace_id
"""
_RECORDED = f"SELECT {_FIELDS} FROM trace WHERE session_id IS NOT NULL"
_LIVING = "SELECT count(*) FROM trace WHERE expires_at > ?"
_CREATE = f"INSERT INTO trace ({_FIELDS}, bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0) RETURNING n"
_PLACE = "SELECT n, bytes, max_bytes FROM trace WHERE tenant = ? AND trace_id = ?"
_PIECES = """
SELECT content FROM piece WHERE trace = (SELECT n FROM trace WHERE tenant = ? AND trace_id = ?)
AND changes > ? ORDER BY n
"""
_ADD = "INSERT INTO piece (trace, changes, bytes, stateful, content) VALUES (?, ?, ?, ?, ?)"
_OLDEST = "SELECT n, bytes, stateful FROM piece WHERE trace = ? ORDER BY n"
_SIZE = "UPDATE trace SET bytes = ? WHERE n = ?"
_EXPIRED = "SELECT n FROM trace WHERE expires_at < ?"


class _Place(NamedTuple):
    n: int
    size: int
    max_bytes: int


class SqliteTraces:
    """Traces in a file in WAL mode. What was appended survives the death of the process."""

    def __init__(self, path: Path) -> None:
        """Opens nothing yet."""
        self._path = path
        self._lock = RLock()
        self._open: _OpenTraces | None = None
        self._closed = False

    def create(self, trace: Trace, pieces: Sequence[Piece], *, most: int) -> None:
        with self._lock:
            self._there().create(trace, pieces, most)

    def find(self, tenant: str, trace_id: str) -> Trace | None:
        found = self._read(_FIND, (tenant, trace_id))
        return found[0] if found else None

    def of_tenant(self, tenant: str, session_id: str | None = None) -> list[Trace]:
        return self._read(_OF_TENANT, (tenant, session_id))

    def recorded(self) -> list[Trace]:
        return self._read(_RECORDED, ())

    def append(self, additions: Sequence[Addition]) -> None:
        with self._lock:
            if additions and (there := self._if_there()) is not None:
                there.append(additions)

    def pieces(self, tenant: str, trace_id: str, *, after_changes: int = -1) -> list[Piece]:
        with self._lock:
            there = self._if_there()
            rows = [] if there is None else there.rows(_PIECES, (tenant, trace_id, after_changes))
        return [decode_piece(content) for (content,) in rows]

    def delete(self, tenant: str, trace_id: str) -> bool:
        with self._lock:
            there = self._if_there()
            return there is not None and there.delete(tenant, trace_id)

    def purge(self, expired_before: float) -> int:
        with self._lock:
            there = self._if_there()
            return 0 if there is None else there.purge(expired_before)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._leave()

    def _read(self, statement: str, arguments: tuple[Any, ...]) -> list[Trace]:
        with self._lock:
            there = self._if_there()
            rows = [] if there is None else there.rows(statement, arguments)
        return [Trace(*row) for row in rows]

    def _if_there(self) -> "_OpenTraces | None":
        """None where nobody has made a trace yet, or somebody took the file away."""
        self._check()
        if self._open is None and not self._path.exists():
            return None
        return self._there()

    def _there(self) -> "_OpenTraces":
        """Raises StoreError where the file is not ours, or cannot be used."""
        self._check()
        if self._open is None:
            self._open = _OpenTraces(SqliteFile(self._path, "normal", SCHEMA))
        return self._open

    def _leave(self) -> None:
        if self._open is not None:
            self._open.file.close()
            self._open = None

    def _check(self) -> None:
        if self._closed:
            raise StoreError(f"traces {self._path} are closed")
        if self._open is not None:
            try:
                self._open.file.look_at_path()
            except StoreError:  # nobody promised to keep traces: another file may take its place
                self._leave()


class _OpenTraces:
    """The file, once it is there."""

    def __init__(self, file: SqliteFile) -> None:
        self.file = file

    @reading
    def rows(self, statement: str, arguments: tuple[Any, ...]) -> list[Any]:
        return self.file.connection.execute(statement, arguments).fetchall()

    @changing
    def create(self, trace: Trace, pieces: Sequence[Piece], most: int) -> None:
        execute = self.file.connection.execute
        with self.file.transaction():
            place = self._place(trace.tenant, trace.trace_id)
            if place is not None:
                self._forget(place.n)
            (living,) = execute(_LIVING, (trace.created_at,)).fetchone()
            check_room(living, most)
            fields = (
                *(trace.tenant, trace.trace_id, trace.session_id, trace.model, trace.version),
                *(trace.created_at, trace.expires_at, trace.max_bytes, trace.about),
            )
            (n,) = execute(_CREATE, fields).fetchone()
            self._add(_Place(n, 0, trace.max_bytes), pieces)

    @changing
    def append(self, additions: Sequence[Addition]) -> None:
        by_trace: dict[tuple[str, str], list[Piece]] = {}
        for tenant, trace_id, piece in additions:
            by_trace.setdefault((tenant, trace_id), []).append(piece)
        with self.file.transaction():
            for name, pieces in by_trace.items():
                place = self._place(*name)
                if place is not None:
                    self._add(place, pieces)

    @changing
    def delete(self, tenant: str, trace_id: str) -> bool:
        with self.file.transaction():
            place = self._place(tenant, trace_id)
            if place is not None:
                self._forget(place.n)
        return place is not None

    @changing
    def purge(self, expired_before: float) -> int:
        with self.file.transaction():
            expired = self.file.connection.execute(_EXPIRED, (expired_before,)).fetchall()
            for (n,) in expired:
                self._forget(n)
        return len(expired)

    def _add(self, place: _Place, pieces: Sequence[Piece]) -> None:
        execute, size = self.file.connection.execute, place.size
        for piece in pieces:
            content = encode_piece(piece)
            size += len(content)
            execute(_ADD, (place.n, piece.changes, len(content), content[STATEFUL_AT], content))
        if size > place.max_bytes:
            size = self._trimmed(place._replace(size=size))
        execute(_SIZE, (size, place.n))

    def _trimmed(self, place: _Place) -> int:
        """The bytes that are left."""
        size, gone = place.size, list[tuple[int]]()
        for n, length, stateful in self.file.connection.execute(_OLDEST, (place.n,)):
            if size <= place.max_bytes and stateful:
                break
            size -= length
            gone.append((n,))
        self.file.connection.executemany("DELETE FROM piece WHERE n = ?", gone)
        return size

    def _forget(self, n: int) -> None:
        self.file.connection.execute("DELETE FROM piece WHERE trace = ?", (n,))
        self.file.connection.execute("DELETE FROM trace WHERE n = ?", (n,))

    def _place(self, tenant: str, trace_id: str) -> _Place | None:
        row = self.file.connection.execute(_PLACE, (tenant, trace_id)).fetchone()
        return None if row is None else _Place(*row)
