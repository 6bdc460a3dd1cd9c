"""Deleting rows of a SQLite file, parts of which may be damaged."""

import sqlite3

from service.stores.sqlite.errors import is_damage
from service.stores.sqlite.file import SqliteFile

_DELETE_PROGRESS = "DELETE FROM progress WHERE n = ?"
_DELETE_SESSION = "DELETE FROM session WHERE n = ?"


def delete(file: SqliteFile, numbers: list[int]) -> int:
    """Delete the sessions of these numbers, or none. Returns how many; raises sqlite3.Error."""
    named = [(n,) for n in numbers]
    with file.transaction():
        file.connection.executemany(_DELETE_PROGRESS, named)
        return file.connection.executemany(_DELETE_SESSION, named).rowcount


def delete_damaged(file: SqliteFile, n: int) -> bool:
    """Delete what may be damaged; False where it is not there.

    Raises sqlite3.Error where SQLite cannot do even that.
    """
    try:
        return delete(file, [n]) == 1
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
    # What is left in the other table is never found, nor is its number given again.
    return file.connection.execute(_DELETE_SESSION, (n,)).rowcount == 1


def delete_what_can_be(file: SqliteFile, numbers: list[int]) -> int:
    """Delete these sessions but for those that SQLite cannot delete. Returns how many."""
    try:
        return delete(file, numbers)
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
    return sum(_is_deleted(file, n) for n in numbers)


def _is_deleted(file: SqliteFile, n: int) -> bool:
    try:
        return delete_damaged(file, n)
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        return False
