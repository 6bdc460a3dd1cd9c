"""Reading sessions from a SQLite file, parts of which may be damaged."""

import sqlite3
from collections.abc import Sequence

from service.errors import SessionDamaged, StoreError
from service.stores.sqlite import rows
from service.stores.sqlite.errors import explained, is_busy, is_damage
from service.stores.sqlite.file import SqliteFile
from service.stores.store import Found, Identity, Position

# The index of identities alone answers this, wherever the row itself lies.
_FIND = "SELECT n FROM session WHERE tenant = ? AND session_id = ?"
_MODEL = "SELECT model FROM session WHERE n = ?"
# And these the index of models.
_PAGE = """
SELECT model, session_id FROM session WHERE tenant = ? AND (model, session_id) >= (?, ?)
ORDER BY model, session_id LIMIT ?
"""
_PAGE_OF_MODEL = """
SELECT model, session_id FROM session WHERE tenant = ? AND model = ? AND session_id >= ?
ORDER BY session_id LIMIT ?
"""


def read(file: SqliteFile, identities: Sequence[Identity]) -> list[Found]:
    """The sessions, or why each cannot be read. Raises sqlite3.Error while the file is locked."""
    try:
        return rows.read(file.connection, identities)
    except sqlite3.Error as error:
        if is_busy(error):
            raise
        # Where a part of the file is damaged, the sessions in the rest of it go on.
        return [read_alone(file, identity) for identity in identities]


def read_alone(file: SqliteFile, identity: Identity) -> Found:
    """As `read`, for one."""
    try:
        return rows.read(file.connection, [identity])[0]
    except sqlite3.Error as error:
        if is_busy(error):
            raise
        return blamed(file, identity, error)


def blamed(file: SqliteFile, identity: Identity, error: sqlite3.Error) -> StoreError:
    """The session's error where its own part is damaged; the file's where it cannot be found."""
    if not is_damage(error):
        return explained(file.path, error, changing=False)
    try:
        n = find(file, identity)
    except sqlite3.Error:
        return explained(file.path, error, changing=False)
    tenant, session_id = identity
    reason = f"{file.path}: {error}"
    return SessionDamaged(session_id, reason, tenant=tenant, model=_model(file, n))


def find(file: SqliteFile, identity: Identity) -> int | None:
    """The number of a session's rows; None where there is no such session."""
    row = file.connection.execute(_FIND, identity).fetchone()
    return None if row is None else row[0]


def positions(
    file: SqliteFile, tenant: str, model: str | None, after: Position, limit: int
) -> list[Position]:
    """As `Store.page`. A row that cannot be read has its position in it."""
    # No string lies between one and the same with a zero behind it.
    behind = (after[0], after[1] + "\0")
    if model is None:
        return file.connection.execute(_PAGE, (tenant, *behind, limit)).fetchall()
    first = max(behind, (model, ""))
    if first[0] != model:
        return []
    return file.connection.execute(_PAGE_OF_MODEL, (tenant, *first, limit)).fetchall()


def _model(file: SqliteFile, n: int | None) -> str:
    try:
        row = file.connection.execute(_MODEL, (n,)).fetchone()
    except sqlite3.Error:
        return ""
    return row[0] if row is not None and isinstance(row[0], str) else ""
