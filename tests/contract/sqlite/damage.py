"""Ways to damage a SQLite file of sessions."""

import sqlite3
from contextlib import closing
from pathlib import Path

PAGE_BYTES = 4096


def without_checks(file: Path) -> None:
    """Let its columns take values of any type."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_schema SET sql = replace(replace(sql, 'STRICT', ''), ' NOT NULL', '') "
            "WHERE name IN ('session', 'progress')"
        )


def overwrite_page(file: Path, content: bytes) -> None:
    """Overwrite the page that holds some bytes; nobody has the file open."""
    whole = bytearray(file.read_bytes())
    page = whole.index(content) // PAGE_BYTES * PAGE_BYTES
    whole[page : page + PAGE_BYTES] = b"\xff" * PAGE_BYTES
    file.write_bytes(whole)
