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


def overwrite_root(file: Path, name: str) -> None:
    """Overwrite the first page of a table or an index; nobody has the file open."""
    with closing(sqlite3.connect(file)) as connection:
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)
        ).fetchone()
    with file.open("r+b") as content:
        content.seek((page - 1) * PAGE_BYTES)
        content.write(b"\xff" * PAGE_BYTES)
