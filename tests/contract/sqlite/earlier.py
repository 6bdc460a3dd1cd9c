"""How earlier releases used a file: their statements, word for word. Never edit.

    python earlier.py FILE VERSION

is a process of the release that wrote this version of the schema. It has the file open and does
what it reads, a line each, such as `step a`; it answers with the number of rows, with the model
of what it read, or with the error.
"""

import sqlite3
import sys
from pathlib import Path

TO_VERSION_2 = """
BEGIN;
CREATE TABLE sessions_2 (
    session_id  TEXT PRIMARY KEY NOT NULL,
    model       TEXT NOT NULL,
    version     INTEGER NOT NULL,
    step        INTEGER NOT NULL,
    revision    INTEGER NOT NULL,
    expiry_slot INTEGER NOT NULL CHECK (expiry_slot = CAST(expires_at / 600 AS INT)),
    expires_at  REAL NOT NULL,
    created_at  REAL NOT NULL,
    ttl_seconds REAL NOT NULL,
    state       BLOB NOT NULL,
    metadata    BLOB NOT NULL,
    receipts    BLOB NOT NULL
) STRICT;
INSERT INTO sessions_2
SELECT session_id, model, version, step, revision, CAST(expires_at / 600 AS INT),
       expires_at, created_at, ttl_seconds, state, CAST('{}' AS BLOB), X''
FROM sessions ORDER BY rowid;
DROP TABLE sessions;
ALTER TABLE sessions_2 RENAME TO sessions;
CREATE INDEX sessions_by_model ON sessions (model, session_id);
CREATE INDEX sessions_by_expiry ON sessions (expiry_slot);
PRAGMA user_version = 2;
COMMIT;
"""

_COLUMNS = (
    "session_id, model, version, step, revision, state, created_at, expires_at, ttl_seconds, "
    "metadata, receipts"
)
READ = f"SELECT {_COLUMNS} FROM sessions WHERE session_id IN (?)"
CREATE = f"""
INSERT INTO sessions ({_COLUMNS}, expiry_slot) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (session_id) DO UPDATE
SET model = excluded.model, version = excluded.version, step = excluded.step,
    revision = excluded.revision, expires_at = excluded.expires_at,
    created_at = excluded.created_at, ttl_seconds = excluded.ttl_seconds, state = excluded.state,
    metadata = excluded.metadata, receipts = excluded.receipts, expiry_slot = excluded.expiry_slot
WHERE sessions.expires_at <= excluded.created_at
"""
REPLACE_IN_SLOT = """
UPDATE sessions
SET version = ?1, step = ?2, revision = ?3, state = ?4, expires_at = ?5, ttl_seconds = ?6,
    metadata = ?7, receipts = ?8
WHERE session_id = ?10 AND revision = ?11 AND expiry_slot = ?9
"""
DELETE = "DELETE FROM sessions WHERE session_id = ?1 AND (?2 IS NULL OR revision = ?2)"
PURGE = """
DELETE FROM sessions WHERE rowid IN
(SELECT rowid FROM sessions WHERE expiry_slot <= ? AND expires_at < ? LIMIT ?)
"""

_COLUMNS_1 = _COLUMNS.removesuffix(", metadata, receipts")
READ_1 = f"SELECT {_COLUMNS_1} FROM sessions WHERE session_id IN (?)"
CREATE_1 = f"""
INSERT INTO sessions ({_COLUMNS_1}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (session_id) DO UPDATE
SET model = excluded.model, version = excluded.version, step = excluded.step,
    revision = excluded.revision, state = excluded.state, created_at = excluded.created_at,
    expires_at = excluded.expires_at, ttl_seconds = excluded.ttl_seconds
WHERE sessions.expires_at <= excluded.created_at
"""
REPLACE_1 = """
UPDATE sessions
SET model = ?, version = ?, step = ?, revision = ?, state = ?, expires_at = ?, ttl_seconds = ?
WHERE session_id = ? AND revision = ?
"""
DELETE_1 = "DELETE FROM sessions WHERE session_id = ?"
PURGE_1 = "DELETE FROM sessions WHERE expires_at < ?"

_END = 1700003650.0
_NEW = (0, 3, b"", 2e9, 2e9 + 60, 60.0)
# What each command executes. The step is the next one of session `a` as the tests have it.
_COMMANDS: dict[int, dict[str, tuple[str, tuple[object, ...]]]] = {
    1: {
        "read a": (READ_1, ("a",)),
        "step a": (REPLACE_1, ("co2", 1, 8, 10, b"\0" * 12, _END, 3600.0, "a", 9)),
        "create a": (CREATE_1, ("a", "co2", 1, *_NEW)),
        "create b": (CREATE_1, ("b", "co2", 1, *_NEW)),
        "delete a": (DELETE_1, ("a",)),
        "purge": (PURGE_1, (2e9,)),
    },
    2: {
        "read a": (READ, ("a",)),
        "step a": (
            REPLACE_IN_SLOT,
            (1, 8, 10, b"\0" * 12, _END, 3600.0, b"{}", b"", int(_END / 600), "a", 9),
        ),
        "create a": (CREATE, ("a", "co2", 1, *_NEW, b"{}", b"", int((2e9 + 60) / 600))),
        "create b": (CREATE, ("b", "co2", 1, *_NEW, b"{}", b"", int((2e9 + 60) / 600))),
        "delete a": (DELETE, ("a", None)),
        "purge": (PURGE, (int(2e9 / 600), 2e9, 9)),
    },
}


def migrate(file: Path) -> None:
    """Bring a file of version 1 to version 2, as the release of version 2 did."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.executescript(TO_VERSION_2)
    connection.close()


def main() -> None:
    file, version = Path(sys.argv[1]), int(sys.argv[2])
    connection = sqlite3.connect(file, isolation_level=None, cached_statements=128)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA wal_autocheckpoint = 3000")
    for line in sys.stdin:
        try:
            cursor = connection.execute(*_COMMANDS[version][line.strip()])
            row = cursor.fetchone()
            answer = str(cursor.rowcount if row is None else row[1])
        except sqlite3.Error as error:
            answer = str(error)
        sys.stdout.write(answer + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
