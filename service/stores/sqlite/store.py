"""A store in one SQLite file: durable, for any number of processes on one machine."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from service.errors import SessionDamaged, SessionExists, StoreError
from service.stores.clock import RETENTION_SECONDS, Clocks, StoreClock
from service.stores.sqlite import rows
from service.stores.sqlite.errors import explained, is_busy, is_damage
from service.stores.sqlite.file import Durability, SqliteFile, changing, reading
from service.stores.sqlite.looks import SqliteLooks
from service.stores.sqlite.schema import expiry_slot
from service.stores.store import Found, Identity, Listed, Position, Replaced, Session

# The index of identities alone tells this, wherever the row itself lies.
_FIND = "SELECT n FROM session WHERE tenant = ? AND session_id = ?"
_MODEL = "SELECT model FROM session WHERE n = ?"
_PAGE = """
SELECT model, session_id FROM session WHERE tenant = ? AND (model, session_id) >= (?, ?)
ORDER BY model, session_id LIMIT ?
"""
_PAGE_OF_MODEL = """
SELECT model, session_id FROM session WHERE tenant = ? AND model = ? AND session_id >= ?
ORDER BY session_id LIMIT ?
"""
_COUNT_BEHIND_SLOT = "SELECT count(*) FROM session WHERE expiry_slot > ?"
_COUNT_IN_SLOT = """
SELECT count(*) FROM session CROSS JOIN progress USING (n) WHERE expiry_slot = ? AND expires_at > ?
"""
_EXPIRED = """
SELECT n FROM session WHERE expiry_slot < ?1
UNION ALL
SELECT n FROM session CROSS JOIN progress USING (n) WHERE expiry_slot = ?1 AND expires_at < ?2
LIMIT ?3
"""
_DELETE_PROGRESS = "DELETE FROM progress WHERE n = ?"
_DELETE_SESSION = "DELETE FROM session WHERE n = ?"


class SqliteStore:
    """Sessions in a SQLite file in WAL mode.

    With durability `normal` an answered step survives the death of the process; with `full`
    every commit waits for the disk and survives power loss too.
    """

    counts_changes = True

    def __init__(
        self,
        path: Path,
        durability: Durability = "normal",
        *,
        clocks: Clocks | None = None,
        retention_seconds: float = RETENTION_SECONDS,
    ) -> None:
        """Open or create the file. Raises StoreError for one that is not ours, or is unreadable.

        `clocks` are those of this machine, unless others are given.
        """
        self.file = SqliteFile(path, durability)
        self._connection = self.file.connection
        try:
            self._clock = StoreClock(
                clocks or Clocks.of_this_machine(), SqliteLooks(self.file), retention_seconds
            )
        except BaseException:
            self.file.close()
            raise

    @changing
    def create(self, session: Session) -> None:
        with self.file.transaction():
            n = self._find(session.identity)
            if n is not None:
                stored = self._read_alone(session.identity)
                if not isinstance(stored, Session) or stored.expires_at > session.created_at:
                    raise SessionExists(session.session_id)
                self._delete([n])
            (n,) = self._connection.execute(rows.NEXT_N).fetchone()
            resting, moving = rows.rows_of_new(session, n)
            self._connection.execute(rows.CREATE_SESSION, resting)
            self._connection.execute(rows.CREATE_PROGRESS, moving)

    def read(self, identities: Sequence[Identity]) -> list[Found]:
        try:
            return self._read(identities)
        except StoreError as error:
            return [error] * len(identities)

    @reading
    def _read(self, identities: Sequence[Identity]) -> list[Found]:
        try:
            return rows.read(self._connection, identities)
        except sqlite3.Error as error:
            if is_busy(error):
                raise
            # Where a part of the file is damaged, the sessions in the rest of it go on.
            return [self._read_alone(identity) for identity in identities]

    def _read_alone(self, identity: Identity) -> Found:
        try:
            return rows.read(self._connection, [identity])[0]
        except sqlite3.Error as error:
            if is_busy(error):
                raise
            return self._blamed(identity, error)

    def _blamed(self, identity: Identity, error: sqlite3.Error) -> StoreError:
        """The session's error where its row is damaged; the file's where that is not known."""
        if not is_damage(error):
            return explained(self.file.path, error, changing=False)
        try:
            n = self._find(identity)
        except sqlite3.Error:
            return explained(self.file.path, error, changing=False)
        try:
            (model,) = self._connection.execute(_MODEL, (n,)).fetchone() or ("",)
        except sqlite3.Error:
            model = ""
        tenant, session_id = identity
        return SessionDamaged(session_id, f"{self.file.path}: {error}", tenant=tenant, model=model)

    def replace(self, sessions: Sequence[Session], expected: Sequence[int]) -> list[Replaced]:
        try:
            return self._replace(sessions, expected)
        except StoreError as error:
            return [error] * len(sessions)

    @changing
    def _replace(self, sessions: Sequence[Session], expected: Sequence[int]) -> list[Replaced]:
        values = [
            rows.row_to_replace(session, revision, session.row)
            for session, revision in zip(sessions, expected, strict=True)
        ]
        tombstones = [_resting(session) for session in sessions if session.finished]
        try:
            if len(values) == 1 and not tombstones:
                # One statement is a transaction of its own, with three trips into SQLite less.
                count = self._connection.execute(rows.REPLACE, values[0]).rowcount
            else:
                count = self._replace_all(values, tombstones)
        except _SomeLost:
            count = -1
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            count = -1
        if count == len(values):
            return [True] * count
        with self.file.transaction():
            return [
                self._replace_alone(session, revision)
                for session, revision in zip(sessions, expected, strict=True)
            ]

    def _replace_all(
        self, values: list[tuple[object, ...]], tombstones: list[tuple[object, ...]]
    ) -> int:
        """Replace all of a group, or raise _SomeLost and leave all as they were."""
        with self.file.transaction():
            count = self._connection.executemany(rows.REPLACE, values).rowcount
            if count != len(values):
                raise _SomeLost
            if tombstones:
                self._connection.executemany(rows.REPLACE_RESTING, tombstones)
            return count

    def _replace_alone(self, session: Session, expected: int) -> Replaced:
        """Within a transaction that goes on whatever becomes of this one."""
        execute = self._connection.execute
        try:
            with self.file.savepoint():
                # A row of that number may be another session by now, and this one elsewhere.
                for row in {session.row, 0}:
                    values = rows.row_to_replace(session, expected, row)
                    if execute(rows.REPLACE, values).rowcount == 1:
                        if session.finished:
                            execute(rows.REPLACE_RESTING, _resting(session))
                        return True
                return False
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            return self._blamed(session.identity, error)

    @changing
    def remove(self, identity: Identity) -> bool:
        with self.file.transaction():
            n = self._find(identity)
            if n is None:
                return False
            try:
                with self.file.savepoint():
                    self._connection.execute(_DELETE_PROGRESS, (n,))
            except sqlite3.Error as error:
                if not is_damage(error):
                    raise
                # Nobody finds it any more, nor is its number given again.
            return self._connection.execute(_DELETE_SESSION, (n,)).rowcount == 1

    @reading
    def page(self, *, tenant: str, model: str | None, after: Position, limit: int) -> list[Listed]:
        with self.file.snapshot():
            positions = self._positions(tenant, model, after, limit)
            found = self._read([Identity(tenant, session_id) for _, session_id in positions])
        return [
            _listed(one, tenant, position) for one, position in zip(found, positions, strict=True)
        ]

    def _positions(
        self, tenant: str, model: str | None, after: Position, limit: int
    ) -> list[Position]:
        """From the index alone, so that a row that cannot be read does not end it."""
        # No string lies between one and the same with a zero behind it.
        behind = (after[0], after[1] + "\0")
        if model is None:
            return self._connection.execute(_PAGE, (tenant, *behind, limit)).fetchall()
        first = max(behind, (model, ""))
        if first[0] != model:
            return []
        return self._connection.execute(_PAGE_OF_MODEL, (tenant, *first, limit)).fetchall()

    @reading
    def count(self, now: float) -> int:
        slot = expiry_slot(now)
        execute = self._connection.execute
        with self.file.snapshot():
            (behind,) = execute(_COUNT_BEHIND_SLOT, (slot,)).fetchone()
            (within,) = execute(_COUNT_IN_SLOT, (slot, now)).fetchone()
        living: int = behind + within
        return living

    @changing
    def purge(self, expired_before: float, limit: int) -> int:
        slot = expiry_slot(expired_before)
        with self.file.transaction():
            expired = self._connection.execute(_EXPIRED, (slot, expired_before, limit)).fetchall()
            return self._delete([n for (n,) in expired])

    def _delete(self, numbers: list[int]) -> int:
        """Delete rows; those that are damaged stay, for somebody to see. Returns how many went."""
        try:
            return self._delete_all(numbers)
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            if len(numbers) == 1:
                return 0
            return sum(self._delete([n]) for n in numbers)

    def _delete_all(self, numbers: list[int]) -> int:
        named = [(n,) for n in numbers]
        with self.file.savepoint():
            self._connection.executemany(_DELETE_PROGRESS, named)
            return self._connection.executemany(_DELETE_SESSION, named).rowcount

    def now(self) -> float:
        return self._clock.now()

    @property
    def clock_held(self) -> str | None:
        return self._clock.held

    def refresh_clock(self) -> None:
        self.file.look_at_path()
        self._clock.refresh()

    def accept_clock(self) -> None:
        self._clock.accept()

    def clone_for_thread(self) -> None:
        return None

    def close(self) -> None:
        self.file.close()

    def _find(self, identity: Identity) -> int | None:
        row = self._connection.execute(_FIND, identity).fetchone()
        return None if row is None else row[0]


class _SomeLost(Exception):
    """Not all of a group had the expected revision."""


def _resting(session: Session) -> tuple[object, ...]:
    return (session.metadata, session.constants, *session.identity)


def _listed(found: Found, tenant: str, position: Position) -> Listed:
    model, session_id = position
    if isinstance(found, Session):
        return found
    if found is None:
        return SessionDamaged(session_id, "its row is gone", tenant=tenant, model=model)
    if isinstance(found, SessionDamaged):
        found.model = model
        return found
    raise found
