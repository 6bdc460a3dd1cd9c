"""A connection to a SQLite file that several processes share."""

import asyncio
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from pathlib import Path
from typing import Concatenate, Literal, ParamSpec, Protocol, TypeVar

from service.errors import MustWait, StoreError
from service.stores.sqlite.errors import explained, is_busy, is_full
from service.stores.sqlite.log import WriteAheadLog
from service.stores.sqlite.schema import SESSIONS, Schema, migrate, refuse_foreign

Durability = Literal["normal", "full"]

# While it opens a process may wait for another one that migrates a large file.
_OPENING_SECONDS = 120.0
_BUSY_SECONDS = 5.0
# Of a file that is much larger than SQLite's usual 2 MB, each read and each change would fetch
# all the pages on its way: with a million sessions 260 µs instead of 90. The inner pages and the
# index of so many take some 20 MB. A map of the file would do as well, but dies of a bad block.
_CACHE_KIB = 64 * 1024
# A commit takes some 100 µs. SQLite's own waiting begins at 1 ms and goes up to 100 ms, in which
# a process that never pauses takes the lock a thousand times.
_SHORTEST_WAIT = 50e-6
_LONGEST_WAIT = 2e-3

_P = ParamSpec("_P")
_R = TypeVar("_R")


class _OnFile(Protocol):
    """What has a file to work on."""

    @property
    def file(self) -> "SqliteFile": ...


_O = TypeVar("_O", bound=_OnFile)


class SqliteFile:
    """A file in WAL mode, at the newest schema, and the log beside it."""

    def __init__(self, path: Path, durability: Durability, schema: Schema = SESSIONS) -> None:
        """Open or create it. Raises StoreError for one that is not ours or cannot be used."""
        self.path = path
        self.holds = schema.holds
        self.missing: Path | None = None
        try:
            refuse_foreign(path, schema)
            self.connection = sqlite3.connect(
                path,
                timeout=_OPENING_SECONDS,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=128,
            )
            try:
                self._prepare(durability, schema)
            except BaseException:
                # An open connection would leave its -wal and -shm files beside a file not ours.
                self.connection.close()
                raise
        except sqlite3.Error as error:
            raise explained(path, error, changing=False, holds=schema.holds) from error

    def _prepare(self, durability: Durability, schema: Schema) -> None:
        with self.transaction():
            migrate(self.connection, self.path, schema)
        self._switch_to_wal()
        self.connection.execute(f"PRAGMA synchronous = {durability.upper()}")
        self.connection.execute("PRAGMA busy_timeout = 0")
        self.connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self.log = WriteAheadLog(self.connection)
        self._opened = {path: _identity(path) for path in (self.path, self.log.path)}

    def _switch_to_wal(self) -> None:
        """Retried by hand: SQLite's own waiting does not cover a change of the journal's mode."""
        deadline = time.monotonic() + _OPENING_SECONDS
        while True:
            try:
                mode = self.connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            except sqlite3.OperationalError as error:
                if not is_busy(error) or time.monotonic() > deadline:
                    raise
                time.sleep(_LONGEST_WAIT)
                continue
            if mode != "wal":
                raise StoreError(
                    f"{self.holds} {self.path}: this file system cannot hold a write-ahead log "
                    f"(the journal's mode stays {mode!r}); choose a local disk"
                )
            return

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing of what is executed within; a part of one that has begun already."""
        if self.connection.in_transaction:
            yield
            return
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            # After some errors, a full disk among them, SQLite has rolled back already.
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All that is read within is of one moment."""
        if self.connection.in_transaction:
            yield
            return
        self.connection.execute("BEGIN")
        try:
            yield
        finally:
            if self.connection.in_transaction:
                # SQLite commits nothing in which it has met a damaged page.
                self.connection.execute("ROLLBACK")

    def look_at_path(self) -> None:
        """Raise StoreError where the path does not lead to the open file, or log, any more.

        From then on all else is refused, until it does again: what was written would be lost.
        """
        self.missing = None
        for path, opened in self._opened.items():
            if opened is None:  # it could not be seen then
                self._opened[path] = _identity(path)
            elif _identity(path) != opened:
                self.missing = self.missing or path
        self.check()

    def check(self) -> None:
        """Raise StoreError where the latest look at the path did not find the open file."""
        if self.missing is not None:
            raise StoreError(
                f"{self.holds} {self.path}: {self.missing} was removed or replaced while it was "
                "in use; put it back, or start the service again with what is there now"
            )

    def close(self) -> None:
        """Release the file; the last process to do so copies the log into it."""
        self.log.close()
        self.connection.close()


def _identity(path: Path) -> tuple[int, int] | None:
    """By which a file is told from another one that takes its place."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def reading(method: Callable[Concatenate[_O, _P], _R]) -> Callable[Concatenate[_O, _P], _R]:
    """A method that changes nothing: tried again while the file is locked, its errors explained."""
    return _persistent(method, changing=False)


def changing(method: Callable[Concatenate[_O, _P], _R]) -> Callable[Concatenate[_O, _P], _R]:
    """A method that makes one change or none: as `reading`, and tried again where room was made."""
    return _persistent(method, changing=True)


def _persistent(
    method: Callable[Concatenate[_O, _P], _R], *, changing: bool
) -> Callable[Concatenate[_O, _P], _R]:
    @wraps(method)
    def call(owner: _O, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        owner.file.check()
        try:
            result = method(owner, *args, **kwargs)
        except sqlite3.Error as error:
            attempt = partial(method, owner, *args, **kwargs)
            result = _tried_again(owner.file, attempt, error, changing=changing)
        if changing:
            owner.file.log.committed()
        return result

    return call


def _tried_again(
    file: SqliteFile, attempt: Callable[[], _R], error: sqlite3.Error, *, changing: bool
) -> _R:
    """What comes of further attempts; raises StoreError where there is no hope in them, and
    MustWait on an event loop, which they would hold up."""
    if (is_busy(error) or is_full(error)) and _is_on_event_loop():
        raise MustWait from error
    deadline, pause = time.monotonic() + _BUSY_SECONDS, _SHORTEST_WAIT
    made_room = False
    while True:
        if is_full(error) and not made_room:
            file.log.empty()
            made_room = True
        elif is_busy(error) and time.monotonic() < deadline:
            # Processes that wait for each other must not try again at the same moments.
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, _LONGEST_WAIT)
        else:
            raise explained(file.path, error, changing=changing, holds=file.holds) from error
        try:
            return attempt()
        except sqlite3.Error as another:
            error = another


def _is_on_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
