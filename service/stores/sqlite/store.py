"""A store in one SQLite file: durable, for any number of processes on one machine."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from service.errors import SessionDamaged, SessionExists, StoreError
from service.stores.clock import RETENTION_SECONDS, Clocks, StoreClock
from service.stores.columns import Moves
from service.stores.sqlite import rows
from service.stores.sqlite.deleting import delete, delete_damaged, delete_what_can_be
from service.stores.sqlite.errors import is_damage
from service.stores.sqlite.file import Durability, SqliteFile, changing, reading
from service.stores.sqlite.looks import SqliteLooks
from service.stores.sqlite.reading import find, positions, read, read_alone
from service.stores.sqlite.replacing import advance, replace_group
from service.stores.sqlite.schema import expiry_slot
from service.stores.store import Found, Identity, Listed, Position, Replaced, Session

_COUNT_FROM_SLOT = "SELECT count(*) FROM session WHERE expiry_slot >= ?"
_COUNT_DEAD_IN_SLOT = """
SELECT count(*) FROM session CROSS JOIN progress USING (n)
WHERE expiry_slot = ? AND expires_at <= ?
"""
_EXPIRED_BEFORE_SLOT = "SELECT n FROM session WHERE expiry_slot < ? LIMIT ?"
_EXPIRED = """
SELECT n FROM session WHERE expiry_slot < ?1
UNION ALL
SELECT n FROM session CROSS JOIN progress USING (n) WHERE expiry_slot = ?1 AND expires_at < ?2
LIMIT ?3
"""


class SqliteStore:
    """Sessions in a SQLite file in WAL mode.

    With durability `normal` an answered step survives the death of the process; with `full`
    every commit waits for the disk and survives power loss too.
    """

    node_of = None
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
        self.is_quick = durability == "normal"
        self.file = SqliteFile(path, durability)
        self._data_version = 0
        try:
            self._clock = StoreClock(
                clocks or Clocks.of_this_machine(), SqliteLooks(self.file), retention_seconds
            )
        except BaseException:
            self.file.close()
            raise

    @changing
    def create(self, session: Session) -> None:
        execute = self.file.connection.execute
        with self.file.transaction():
            n = find(self.file, session.identity)
            if n is not None:
                self._make_way(n, session)
            (n,) = execute(rows.NEXT_N).fetchone()
            resting, moving = rows.rows_of_new(session, n)
            execute(rows.CREATE_SESSION, resting)
            execute(rows.CREATE_PROGRESS, moving)

    def _make_way(self, n: int, session: Session) -> None:
        stored = read_alone(self.file, session.identity)
        if not isinstance(stored, Session) or stored.expires_at > session.created_at:
            raise SessionExists(session.session_id)
        try:
            delete(self.file, [n])
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            raise SessionExists(session.session_id) from error

    def read(self, identities: Sequence[Identity]) -> list[Found]:
        try:
            return self._read(identities)
        except StoreError as error:
            return [error] * len(identities)

    @reading
    def _read(self, identities: Sequence[Identity]) -> list[Found]:
        return read(self.file, identities)

    def replace(self, sessions: Sequence[Session], expected: Sequence[int]) -> list[Replaced]:
        try:
            return self._replace(sessions, expected)
        except StoreError as error:
            return [error] * len(sessions)

    @changing
    def _replace(self, sessions: Sequence[Session], expected: Sequence[int]) -> list[Replaced]:
        return replace_group(self.file, list(zip(sessions, expected, strict=True)))

    def advance(self, moves: Sequence[Moves]) -> list[Replaced]:
        try:
            return self._advance(moves)
        except StoreError as error:
            return [error] * sum(len(one.sessions) for one in moves)

    @changing
    def _advance(self, moves: Sequence[Moves]) -> list[Replaced]:
        return advance(self.file, moves)

    def others_wrote(self) -> bool:
        try:
            (version,) = self.file.connection.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error:
            return True
        last, self._data_version = self._data_version, version
        return bool(version != last)

    @changing
    def remove(self, identity: Identity) -> bool:
        n = find(self.file, identity)
        return n is not None and delete_damaged(self.file, n)

    @reading
    def page(self, *, tenant: str, model: str | None, after: Position, limit: int) -> list[Listed]:
        with self.file.snapshot():
            places = positions(self.file, tenant, model, after, limit)
            found = read(self.file, [Identity(tenant, session_id) for _, session_id in places])
        return [_listed(one, tenant, place) for one, place in zip(found, places, strict=True)]

    @reading
    def count(self, now: float) -> int:
        slot = expiry_slot(now)
        with self.file.snapshot():
            (living,) = self.file.connection.execute(_COUNT_FROM_SLOT, (slot,)).fetchone()
            count: int = living - self._dead_in_slot(slot, now)
        return count

    def _dead_in_slot(self, slot: int, now: float) -> int:
        try:
            row = self.file.connection.execute(_COUNT_DEAD_IN_SLOT, (slot, now)).fetchone()
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            # Too many are counted for ten minutes; an error would hold up all who create.
            return 0
        dead: int = row[0]
        return dead

    @changing
    def purge(self, expired_before: float, limit: int) -> int:
        return delete_what_can_be(self.file, self._expired(expired_before, limit))

    def _expired(self, before: float, limit: int) -> list[int]:
        slot = expiry_slot(before)
        execute = self.file.connection.execute
        try:
            found = execute(_EXPIRED, (slot, before, limit)).fetchall()
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            # A time in the last slot cannot be read. Its sessions go when the whole slot may.
            found = execute(_EXPIRED_BEFORE_SLOT, (slot, limit)).fetchall()
        return [n for (n,) in found]

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

    def finish_upgrade(self) -> int:
        return 0

    def clone_for_thread(self) -> None:
        return None

    def close(self) -> None:
        self.file.close()


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
