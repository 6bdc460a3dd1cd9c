"""What SQLite reports, as errors of a store that say what to do."""

import sqlite3
from pathlib import Path

from service.errors import CommitUnknown, StoreError, StoreFull

# An extended code has its family in the low byte: SQLITE_IOERR_FSYNC is one of SQLITE_IOERR.
_FAMILY = 0xFF

_ADVICE = {
    sqlite3.SQLITE_FULL: "make room on its disk, steps then go on by themselves",
    sqlite3.SQLITE_BUSY: "another process has kept it locked for too long",
    sqlite3.SQLITE_READONLY: "give the service the right to write the file and its folder",
    sqlite3.SQLITE_NOTADB: "choose another file, or restore this one from a backup",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; stop the service, keep a copy of the file and of "
    "what lies beside it under its name, and restore a backup or try `sqlite3 FILE .recover`",
    sqlite3.SQLITE_IOERR: "its disk fails or is full, or a limit on files is reached",
}

# After these the change may lie in the write-ahead log, complete and unconfirmed, where the next
# process finds it if this one dies: the disk did not confirm it, or its index had no room for it.
_UNCONFIRMED = frozenset(
    {sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMMAP}
)


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another process was in the way: nothing was done, and trying again may succeed."""
    return _code(error) & _FAMILY == sqlite3.SQLITE_BUSY


def is_full(error: sqlite3.Error) -> bool:
    """Whether the file, or the log beside it, had no room to grow."""
    return _code(error) & _FAMILY == sqlite3.SQLITE_FULL


def is_damage(error: sqlite3.Error) -> bool:
    """Whether what is stored there cannot be read: a bad page, or text that is no UTF-8."""
    return _code(error) & _FAMILY in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_OK)


def explained(
    path: Path, error: sqlite3.Error, *, changing: bool, holds: str = "session store"
) -> StoreError:
    """The error of a store for what SQLite raised, while it was changing the file or reading."""
    advice = _ADVICE.get(_code(error) & _FAMILY)
    if _code(error) & _FAMILY == sqlite3.SQLITE_CANTOPEN:
        advice = _why_it_cannot_be_opened(path)
    message = f"{holds} {path}: {error}" + (f"; {advice}" if advice else "")
    if is_full(error):
        return StoreFull(message)
    if changing and _code(error) in _UNCONFIRMED:
        return CommitUnknown(message)
    return StoreError(message)


def _code(error: sqlite3.Error) -> int:
    """The extended code; 0 for what the driver raises by itself, on a closed connection say."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)


def _why_it_cannot_be_opened(path: Path) -> str:
    if path.is_dir():
        return "it is a folder; name a file"
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}; create it"
    return "give the service the right to write the file and its folder"
