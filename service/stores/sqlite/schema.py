"""The schema of a SQLite file of sessions, and the way of older files to it."""

import sqlite3
from pathlib import Path
from typing import NamedTuple

from service.errors import StoreError

APPLICATION_ID = 0x47_57_53_45  # "GWSE"


class Schema(NamedTuple):
    """What a file holds. `application_id` is stamped into its header, so that no other
    application's database is ever taken for ours."""

    holds: str
    application_id: int
    migrations: tuple[tuple[str, ...], ...]
    """The statements from each version to the next; an empty file is version 0. Never edit,
    append."""


SLOT_SECONDS = 600
"""Width of the slots of time by which sessions are counted and purged.

Every step moves `expires_at`, so an index on it would be written with every step. Its slot moves
seldom, and what needs the exact time looks at the sessions of one slot. A trigger moves the slot
whenever the time moves into another one.
"""

_VERSION_1 = (
    """
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
    """,
)

# The columns that searches look at come before the long ones, which may lie on pages of their own.
# The check also keeps a process of version 1, still running, from writing a slot that is wrong.
_VERSION_2 = (
    f"""
    CREATE TABLE sessions_2 (
        session_id  TEXT PRIMARY KEY NOT NULL,
        model       TEXT NOT NULL,
        version     INTEGER NOT NULL,
        step        INTEGER NOT NULL,
        revision    INTEGER NOT NULL,
        expiry_slot INTEGER NOT NULL CHECK (expiry_slot = CAST(expires_at / {SLOT_SECONDS} AS INT)),
        expires_at  REAL NOT NULL,
        created_at  REAL NOT NULL,
        ttl_seconds REAL NOT NULL,
        state       BLOB NOT NULL,
        metadata    BLOB NOT NULL,
        receipts    BLOB NOT NULL
    ) STRICT
    """,
    f"""
    INSERT INTO sessions_2
    SELECT session_id, model, version, step, revision, CAST(expires_at / {SLOT_SECONDS} AS INT),
           expires_at, created_at, ttl_seconds, state, CAST('{{}}' AS BLOB), X''
    FROM sessions ORDER BY rowid
    """,
    "DROP TABLE sessions",
    "ALTER TABLE sessions_2 RENAME TO sessions",
    "CREATE INDEX sessions_by_model ON sessions (model, session_id)",
    "CREATE INDEX sessions_by_expiry ON sessions (expiry_slot)",
)

# What every step changes has a table of its own: a row is found by a number and written in place,
# and no index or long name is touched. `session` and `progress` have the same number for the same
# session. The old name is gone, so that a process of version 2, still running, fails on its next
# statement and harms nothing.
_VERSION_3 = (
    """
    CREATE TABLE session (
        n           INTEGER PRIMARY KEY NOT NULL,
        tenant      TEXT NOT NULL,
        session_id  TEXT NOT NULL,
        model       TEXT NOT NULL,
        expiry_slot INTEGER NOT NULL,
        created_at  REAL NOT NULL,
        metadata    BLOB NOT NULL,
        constants   BLOB NOT NULL,
        UNIQUE (tenant, session_id)
    ) STRICT
    """,
    """
    CREATE TABLE progress (
        n              INTEGER PRIMARY KEY NOT NULL,
        revision       INTEGER NOT NULL,
        changes        INTEGER NOT NULL,
        step           INTEGER NOT NULL,
        version        INTEGER NOT NULL,
        expires_at     REAL NOT NULL,
        ttl_seconds    REAL NOT NULL,
        finished       INTEGER NOT NULL,
        fell_back_from INTEGER,
        state          BLOB NOT NULL,
        receipts       BLOB NOT NULL,
        writers        BLOB NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE clock_look (
        boot_id      TEXT PRIMARY KEY NOT NULL,
        boot_seconds REAL NOT NULL,
        wall_seconds REAL NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    """
    INSERT INTO session
    SELECT rowid, '', session_id, model, expiry_slot, created_at, metadata, X''
    FROM sessions ORDER BY rowid
    """,
    # 0 changes would mean that nobody counts them.
    """
    INSERT INTO progress
    SELECT rowid, revision, 1, step, version, expires_at, ttl_seconds, 0, NULL, state, receipts, X''
    FROM sessions ORDER BY rowid
    """,
    "DROP TABLE sessions",
    "CREATE INDEX session_by_model ON session (tenant, model, session_id)",
    "CREATE INDEX session_by_expiry ON session (expiry_slot)",
    f"""
    CREATE TRIGGER slot_follows_expiry AFTER UPDATE OF expires_at ON progress
    WHEN CAST(new.expires_at / {SLOT_SECONDS} AS INT)
      <> CAST(old.expires_at / {SLOT_SECONDS} AS INT)
    BEGIN
        UPDATE session SET expiry_slot = CAST(new.expires_at / {SLOT_SECONDS} AS INT)
        WHERE n = new.n;
    END
    """,
)

MIGRATIONS = (_VERSION_1, _VERSION_2, _VERSION_3)
SESSIONS = Schema("session store", APPLICATION_ID, MIGRATIONS)
SCHEMA_VERSION = len(MIGRATIONS)


def expiry_slot(time: float) -> int:
    """The slot of a time in seconds. The quotient and its rounding are those of the schema."""
    return int(time / SLOT_SECONDS)


def refuse_foreign(path: Path, schema: Schema = SESSIONS) -> None:
    """Raise StoreError for another application's database, before anything is done to it.

    Opened in the usual way, it would have the log of a killed process written back into it.
    """
    if not path.is_file() or path.stat().st_size == 0:
        return
    uri = f"{path.absolute().as_uri()}?immutable=1"
    connection = sqlite3.connect(uri, uri=True)
    try:
        application_id = _pragma(connection, "application_id")
    except sqlite3.DatabaseError:
        # Not a database, damaged, or looked at in the middle of a write: found out under a lock.
        return
    finally:
        connection.close()
    if application_id != schema.application_id:
        raise StoreError(f"{path} is a database of another application; choose another file")


def migrate(connection: sqlite3.Connection, path: Path, schema: Schema = SESSIONS) -> None:
    """Bring a file to the newest version, within the transaction that the caller has begun.

    Raises StoreError for a file that is not ours and for one of a later release.
    """
    empty = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
    if not empty and _pragma(connection, "application_id") != schema.application_id:
        raise StoreError(f"{path} is a database of another application; choose another file")
    version, newest = _pragma(connection, "user_version"), len(schema.migrations)
    if not 0 <= version <= newest or (version == 0) != empty:
        raise StoreError(
            f"{path} has schema version {version}, this release needs {newest}; "
            "use the release that wrote it, or choose another file"
        )
    if version == newest:
        return
    for statements in schema.migrations[version:]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {schema.application_id}")
    connection.execute(f"PRAGMA user_version = {newest}")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value
