"""Sessions as this process stored them last, so that a step need not read them again.

Another process may have changed them since. So what is found here is good for two things: to
compute a step that is committed by compare and set, which fails where the session has moved; and
to notice that a store has lost what it had confirmed. What a caller is told, an error or an
earlier answer, comes from the store.
"""

from collections import OrderedDict
from collections.abc import Sequence
from itertools import compress, repeat
from operator import not_
from threading import Lock
from typing import NamedTuple

import numpy as np

from service.stores.columns import Columns, Texts, at, texts_of
from service.stores.store import Identity, Session

OVERHEAD_BYTES = 1024
"""What a session takes besides its state, its metadata and its receipts."""

_DOUBTED = -1
_FIRST_ROWS = 64

_ROW_BITS = 32
_ROW_MASK = (1 << _ROW_BITS) - 1
_NOWHERE = -1


_NO_TEXTS = Texts(b"", b"", b"", b"")


class _Table:
    """Copies on one version of a model, as columns with free rows; see `Columns`."""

    def __init__(self, model: str, version: int, state_size: int, number: int) -> None:
        self.model = model
        self.version = version
        self.first_place = number << _ROW_BITS
        self.rows = list[int]()
        self.created_at = list[float]()
        self.ttl_seconds = list[float]()
        self.texts = list[Texts]()
        self.steps = list[int]()
        self.changes = list[int]()
        self.revisions = list[int]()
        self.expires_at = list[float]()
        self.states = np.zeros((0, state_size), np.float32)
        self.looks = list[int]()
        """At which look a copy was known to be the store's; `_DOUBTED` where it may not be."""
        self.free = list[int]()

    def row(self) -> int:
        """A free one."""
        if not self.free:
            rows = len(self.looks)
            more = rows or _FIRST_ROWS
            self.free = list(range(rows, rows + more))
            for numbers in (self.rows, self.steps, self.changes, self.revisions, self.looks):
                numbers.extend([0] * more)
            for times in (self.created_at, self.ttl_seconds, self.expires_at):
                times.extend([0.0] * more)
            self.texts += [_NO_TEXTS] * more
            new = np.zeros((more, self.states.shape[1]), np.float32)
            self.states = np.concatenate([self.states, new])
        return self.free.pop()

    def columns(
        self, identities: list[Identity], rows: list[int], copied_from: "_Copied | None" = None
    ) -> Columns:
        return Columns(
            self.model,
            self.version,
            identities,
            at(self.rows, rows),
            at(self.created_at, rows),
            at(self.ttl_seconds, rows),
            at(self.texts, rows),
            at(self.steps, rows),
            at(self.changes, rows),
            at(self.revisions, rows),
            at(self.expires_at, rows),
            self.states[rows],
            copied_from,
        )

    def put(self, row: int, session: Session) -> None:
        self.rows[row] = session.row
        self.created_at[row] = session.created_at
        self.ttl_seconds[row] = session.ttl_seconds
        self.texts[row] = texts_of(session)
        self.steps[row] = session.step
        self.changes[row] = session.changes
        self.revisions[row] = session.revision
        self.expires_at[row] = session.expires_at
        self.states[row] = session.state

    def size(self, row: int) -> int:
        """Bytes that a copy takes, about."""
        return OVERHEAD_BYTES + 4 * self.states.shape[1] + sum(map(len, self.texts[row]))


class _Copied(NamedTuple):
    """From which rows of a table copies were taken, and when."""

    table: _Table
    rows: list[int]
    removals: int
    looks: int


class Recent:
    """The sessions used last, up to so many bytes. Threads may share it."""

    def __init__(self, max_bytes: int) -> None:
        """Nothing is kept where `max_bytes` is 0."""
        self._max_bytes = max_bytes
        self._tables: dict[tuple[str, int, int], _Table] = {}
        self._by_number: list[_Table] = []
        self._places: OrderedDict[Identity, int] = OrderedDict()
        """Of every copy the number of its table, and in the lower bits its row there; those used
        longest ago in front."""
        self._looks = 0
        self._removals = 0
        self._bytes = 0
        self._lock = Lock()

    def find(
        self, identities: Sequence[Identity], *, others_wrote: bool = False
    ) -> tuple[list[tuple[list[int], Columns]], list[int]]:
        """Copies that nobody doubts, with their indexes; and the indexes of all others.

        `others_wrote` says that another process has changed some session since this was asked
        last: no copy of before is found any more.
        """
        with self._lock:
            self._looks += others_wrote
            found = []
            unknown, by_table = self._by_table(identities)
            for table, indexes, rows in by_table:
                known, known_rows = indexes, rows
                if at(table.looks, rows).count(self._looks) < len(rows):
                    fresh = [table.looks[row] == self._looks for row in rows]
                    known, known_rows = list(compress(indexes, fresh)), list(compress(rows, fresh))
                    unknown += compress(indexes, map(not_, fresh))
                if known:
                    named = [identities[index] for index in known]
                    copied = _Copied(table, known_rows, self._removals, self._looks)
                    found.append((known, table.columns(named, known_rows, copied)))
        return found, unknown

    def keep(self, session: Session, *, doubted: bool = False) -> None:
        """In place of an older one under its id; those used longest ago make room.

        One that has ended or is marked as fallen back is kept as evidence alone.
        """
        doubted = doubted or session.finished or session.fell_back_from is not None
        with self._lock:
            self._remove(session.identity)
            if not self._max_bytes:
                return
            table = self._table(session)
            row = table.row()
            table.put(row, session)
            table.looks[row] = _DOUBTED if doubted else self._looks
            self._places[session.identity] = table.first_place | row
            self._bytes += table.size(row)
            self._make_room()

    def keep_moved(self, moved: Columns) -> None:
        """Sessions that have just been stored; as `keep`."""
        with self._lock:
            copied = moved.copied_from
            if isinstance(copied, _Copied) and self._are_there(copied):
                self._overwrite(copied.table, copied.rows, moved)
                self._make_room()
                return
            unknown, by_table = self._by_table(moved.identities)
            for table, indexes, rows in by_table:
                if (table.model, table.version) == (moved.model, moved.version):
                    some = moved if len(indexes) == len(moved) else moved.take(indexes)
                    self._overwrite(table, rows, some)
                    # Perhaps those of an earlier session of that name.
                    resting = zip(rows, some.rows, some.created_at, some.ttl_seconds, strict=True)
                    for row, number, created_at, ttl_seconds in resting:
                        table.rows[row] = number
                        table.created_at[row] = created_at
                        table.ttl_seconds[row] = ttl_seconds
                else:
                    unknown += indexes
            self._make_room()
        for index in unknown:
            self.keep(moved.session(index))

    def doubt(self, identity: Identity) -> None:
        """Find a copy no more, but keep it until the session is read."""
        with self._lock:
            place = self._places.get(identity)
            if place is not None:
                self._by_number[place >> _ROW_BITS].looks[place & _ROW_MASK] = _DOUBTED

    def take(self, identity: Identity) -> Session | None:
        """The copy, doubted or not, which is not kept any more."""
        with self._lock:
            return self._remove(identity)

    def _table(self, session: Session) -> _Table:
        key = session.model, session.version, len(session.state)
        table = self._tables.get(key)
        if table is None:
            table = self._tables[key] = _Table(*key, len(self._by_number))
            self._by_number.append(table)
        return table

    def _by_table(
        self, identities: Sequence[Identity]
    ) -> tuple[list[int], list[tuple[_Table, list[int], list[int]]]]:
        """The indexes of those without a copy; and by tables the indexes and rows of the others."""
        places = list(map(self._places.get, identities, repeat(_NOWHERE)))
        lowest = min(places, default=_NOWHERE) >> _ROW_BITS
        highest = max(places, default=_NOWHERE) >> _ROW_BITS
        if lowest == highest:  # of one table, as nearly always
            by_number = {lowest: list(range(len(places)))}
        else:
            by_number = {}
            for index, place in enumerate(places):
                by_number.setdefault(place >> _ROW_BITS, []).append(index)
        unknown = by_number.pop(_NOWHERE, [])
        return unknown, [
            (
                self._by_number[number],
                indexes,
                [places[index] & _ROW_MASK for index in indexes],
            )
            for number, indexes in by_number.items()
        ]

    def _are_there(self, copied: "_Copied") -> bool:
        """Whether the rows are still those of the same sessions."""
        return copied.removals == self._removals and copied.looks == self._looks

    def _overwrite(self, table: _Table, rows: list[int], moved: Columns) -> None:
        table.states[rows] = moved.states
        columns = zip(
            rows,
            moved.steps,
            moved.changes,
            moved.revisions,
            moved.expires_at,
            moved.texts,
            strict=True,
        )
        for row, step, changes, revision, expires_at, texts in columns:
            table.steps[row] = step
            table.changes[row] = changes
            table.revisions[row] = revision
            table.expires_at[row] = expires_at
            table.looks[row] = self._looks
            before = table.texts[row]
            if before is not texts:
                self._bytes += sum(map(len, texts)) - sum(map(len, before))
                table.texts[row] = texts
        for identity in moved.identities:
            self._places.move_to_end(identity)

    def _make_room(self) -> None:
        while self._bytes > self._max_bytes and self._places:
            self._remove(next(iter(self._places)))

    def _remove(self, identity: Identity) -> Session | None:
        place = self._places.pop(identity, None)
        if place is None:
            return None
        table, row = self._by_number[place >> _ROW_BITS], place & _ROW_MASK
        session = table.columns([identity], [row]).session(0)
        self._bytes -= table.size(row)
        self._removals += 1
        table.texts[row] = _NO_TEXTS
        table.free.append(row)
        return session
