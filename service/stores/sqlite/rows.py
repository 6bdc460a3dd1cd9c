"""Sessions as rows of a SQLite file, and the statements that read and write them."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from service.errors import SessionDamaged
from service.stores.columns import Moves
from service.stores.sqlite.schema import expiry_slot
from service.stores.store import Found, Identity, Session

# SQLite accepts at least 999 bound variables in every build.
_READ_CHUNK = 500

# In the order of the fields of Session.
_COLUMNS = (
    "session_id, model, version, step, changes, revision, state, created_at, expires_at, "
    "ttl_seconds, metadata, receipts, writers, constants, tenant, fell_back_from, finished, "
    "session.n"
)
_Row = tuple[Any, ...]
_FIRST_TYPES = (
    *(str, str, int, int, int, int, bytes, float, float),
    *(float, bytes, bytes, bytes, bytes, str),
)
_TYPES = (*_FIRST_TYPES, type(None), int, int)
_TYPES_FALLEN_BACK = (*_FIRST_TYPES, int, int, int)
# A session without its progress is found all the same, as a damaged one.
_READ = f"""
SELECT {_COLUMNS} FROM session LEFT JOIN progress USING (n)
WHERE tenant = ? AND session_id IN ({{marks}})
"""

CREATE_SESSION = """
INSERT INTO session (n, tenant, session_id, model, expiry_slot, created_at, metadata, constants)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
CREATE_PROGRESS = """
INSERT INTO progress (
    revision, changes, step, version, expires_at, ttl_seconds, finished, fell_back_from,
    state, receipts, writers, n
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
# Either table may have a row without the other's after damage was removed.
NEXT_N = """
SELECT 1 + max(coalesce((SELECT max(n) FROM session), 0),
               coalesce((SELECT max(n) FROM progress), 0))
"""
# With the usual ABORT in place of ROLLBACK, SQLite would prepare to take the trigger's part back
# alone, each time. Nothing here breaks a constraint but a bug.
_SET = """
UPDATE OR ROLLBACK progress
SET revision = ?1, changes = ?2, step = ?3, version = ?4, expires_at = ?5, ttl_seconds = ?6,
    finished = ?7, fell_back_from = ?8, state = ?9, receipts = ?10, writers = ?11
"""
REPLACE_BY_ROW = _SET + "WHERE n = ?12 AND revision = ?13"
REPLACE_BY_IDENTITY = f"""
{_SET} WHERE n = (SELECT n FROM session WHERE tenant = ?12 AND session_id = ?13) AND revision = ?14
"""
ADVANCE = """
UPDATE OR ROLLBACK progress
SET revision = ?, changes = ?, step = ?, expires_at = ?, state = ?, fell_back_from = NULL
WHERE n = ? AND revision = ?
"""
ADVANCE_KEYED = """
UPDATE OR ROLLBACK progress
SET revision = ?, changes = ?, step = ?, expires_at = ?, state = ?, fell_back_from = NULL,
    receipts = ?, writers = ?
WHERE n = ? AND revision = ?
"""
_REVISIONS = "SELECT n, revision FROM progress WHERE n IN ({marks})"
REPLACE_RESTING = """
UPDATE session SET metadata = ?, constants = ? WHERE tenant = ? AND session_id = ?
"""


def rows_of_new(session: Session, n: int) -> tuple[tuple[object, ...], tuple[object, ...]]:
    """What CREATE_SESSION and CREATE_PROGRESS bind."""
    resting = (
        n,
        session.tenant,
        session.session_id,
        session.model,
        expiry_slot(session.expires_at),
        session.created_at,
        session.metadata,
        session.constants,
    )
    return resting, (*_moving(session), n)


def replacement_by_row(session: Session, expected: int) -> tuple[object, ...]:
    """What REPLACE_BY_ROW binds."""
    return (*_moving(session), session.row, expected)


def replacement_by_identity(session: Session, expected: int) -> tuple[object, ...]:
    """What REPLACE_BY_IDENTITY binds."""
    return (*_moving(session), session.tenant, session.session_id, expected)


def advances(moves: Moves) -> tuple[str, Iterable[tuple[object, ...]]]:
    """The statement for sessions that have moved on, and what it binds for each."""
    sessions = moves.sessions
    states = sessions.states.view(f"V{sessions.states.itemsize * sessions.states.shape[1]}")
    moved = sessions.revisions, sessions.changes, sessions.steps, sessions.expires_at
    blobs = states.ravel().tolist()
    place = sessions.rows, moves.expected
    if not moves.keyed:
        return ADVANCE, zip(*moved, blobs, *place, strict=True)
    receipts = [texts.receipts for texts in sessions.texts]
    writers = [texts.writers for texts in sessions.texts]
    return ADVANCE_KEYED, zip(*moved, blobs, receipts, writers, *place, strict=True)


def revisions(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, int]:
    """The revisions of rows. Raises sqlite3.Error."""
    found: dict[int, int] = {}
    for start in range(0, len(numbers), _READ_CHUNK):
        chunk = numbers[start : start + _READ_CHUNK]
        statement = _REVISIONS.format(marks=", ".join("?" * len(chunk)))
        found.update(connection.execute(statement, chunk).fetchall())
    return found


def _moving(session: Session) -> tuple[object, ...]:
    return (
        session.revision,
        session.changes,
        session.step,
        session.version,
        session.expires_at,
        session.ttl_seconds,
        session.finished,
        session.fell_back_from,
        session.state.tobytes(),
        session.receipts,
        session.writers,
    )


def read(connection: sqlite3.Connection, identities: Sequence[Identity]) -> list[Found]:
    """The sessions in the order of their identities, SessionDamaged where a row makes no session.

    Raises sqlite3.Error where one of the rows cannot be had.
    """
    by_tenant: dict[str, list[str]] = {}
    for tenant, session_id in identities:
        by_tenant.setdefault(tenant, []).append(session_id)
    found: dict[tuple[str, str], Found] = {}
    for tenant, session_ids in by_tenant.items():
        for start in range(0, len(session_ids), _READ_CHUNK):
            chunk = session_ids[start : start + _READ_CHUNK]
            statement = _READ.format(marks=", ".join("?" * len(chunk)))
            for row in connection.execute(statement, (tenant, *chunk)):
                found[tenant, row[0]] = _session(row)
    return [found.get(identity) for identity in identities]


def _session(row: _Row) -> Session | SessionDamaged:
    if not _is_sound(row):
        model = row[1] if isinstance(row[1], str) else ""
        return SessionDamaged(row[0], "its row is no session", tenant=row[14], model=model)
    before, (state, *behind, finished, n) = row[:6], row[6:]
    fields = (*before, np.frombuffer(state, np.float32), *behind, finished == 1, n)
    return Session(*fields)


def _is_sound(row: _Row) -> bool:
    types = (*map(type, row),)
    return types in (_TYPES, _TYPES_FALLEN_BACK) and len(row[6]) % 4 == 0
