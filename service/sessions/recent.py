"""Sessions as this process stored them last, so that a step need not read them again.

Another process may have changed them since. So what is found here is good for two things: to
compute a step that is committed by compare and set, which fails where the session has moved; and
to notice that a store has lost what it had confirmed. What a caller is told, an error or an
earlier answer, comes from the store.
"""

from collections import OrderedDict
from collections.abc import Sequence
from itertools import compress, repeat
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from service.stores.columns import Columns, counts_of, texts_of, times_of
from service.stores.store import Identity, Session

OVERHEAD_BYTES = 1024
"""What a session takes besides its state, its metadata and its receipts."""

_DOUBTED = -1
_FIRST_ROWS = 64


_ROW_BITS = 32
_ROW_MASK = (1 << _ROW_BITS) - 1
_NOWHERE = -1


class _Table:
    """Copies on one version of a model, as columns with free rows; see `Columns`."""

    def __init__(self, model: str, version: int, state_size: int, number: int) -> None:
        self.model = model
        self.version = version
        self.first_place = number << _ROW_BITS
        self.counts = np.zeros((_FIRST_ROWS, 4), np.int64)
        self.times = np.zeros((_FIRST_ROWS, 3))
        self.states = np.zeros((_FIRST_ROWS, state_size), np.float32)
        self.texts = np.empty(_FIRST_ROWS, object)
        self.looks = np.zeros(_FIRST_ROWS, np.int64)
        """At which look a copy was known to be the store's; `_DOUBTED` where it may not be."""
        self.free = list(range(_FIRST_ROWS))

    def row(self) -> int:
        """A free one."""
        if not self.free:
            rows = len(self.looks)
            for name in ("counts", "times", "states", "texts", "looks"):
                column = getattr(self, name)
                setattr(self, name, np.concatenate([column, np.zeros_like(column)]))
            self.free = list(range(rows, 2 * rows))
        return self.free.pop()

    def columns(self, identities: list[Identity], rows: NDArray[np.int64]) -> Columns:
        return Columns(
            self.model,
            self.version,
            identities,
            self.counts[rows],
            self.times[rows],
            self.states[rows],
            self.texts[rows].tolist(),
        )

    def size(self, row: int) -> int:
        """Bytes that a copy takes, about."""
        return OVERHEAD_BYTES + 4 * self.states.shape[1] + sum(map(len, self.texts[row]))


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
                fresh = table.looks[rows] == self._looks
                known = indexes if fresh.all() else list(compress(indexes, fresh))
                if len(known) < len(indexes):
                    unknown += compress(indexes, ~fresh)
                if known:
                    named = [identities[index] for index in known]
                    found.append((known, table.columns(named, rows[fresh])))
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
            table.counts[row] = counts_of(session)
            table.times[row] = times_of(session)
            table.states[row] = session.state
            table.texts[row] = texts_of(session)
            table.looks[row] = _DOUBTED if doubted else self._looks
            self._places[session.identity] = table.first_place | row
            self._bytes += table.size(row)
            self._make_room()

    def keep_moved(self, moved: Columns) -> None:
        """Sessions that have just been stored; as `keep`."""
        with self._lock:
            unknown, by_table = self._by_table(moved.identities)
            for table, indexes, rows in by_table:
                if (table.model, table.version) == (moved.model, moved.version):
                    self._overwrite(table, rows, moved, indexes)
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
    ) -> tuple[list[int], list[tuple[_Table, list[int], NDArray[np.int64]]]]:
        """The indexes of those without a copy; and by tables the indexes and rows of the others."""
        places = list(map(self._places.get, identities, repeat(_NOWHERE)))
        numbers = [place >> _ROW_BITS for place in places]
        by_number = {
            number: [index for index, one in enumerate(numbers) if one == number]
            for number in set(numbers)
        }
        unknown = by_number.pop(_NOWHERE, [])
        by_table = [
            (
                self._by_number[number],
                indexes,
                np.array([places[index] & _ROW_MASK for index in indexes]),
            )
            for number, indexes in by_number.items()
        ]
        return unknown, by_table

    def _overwrite(
        self, table: _Table, rows: NDArray[np.int64], moved: Columns, indexes: list[int]
    ) -> None:
        if len(indexes) < len(moved):
            moved = moved.take(indexes)
        table.counts[rows] = moved.counts
        table.times[rows] = moved.times
        table.states[rows] = moved.states
        table.looks[rows] = self._looks
        for identity in moved.identities:
            self._places.move_to_end(identity)
        for row, texts in zip(rows.tolist(), moved.texts, strict=True):
            if table.texts[row] is not texts:
                self._bytes -= table.size(row)
                table.texts[row] = texts
                self._bytes += table.size(row)

    def _make_room(self) -> None:
        while self._bytes > self._max_bytes and self._places:
            self._remove(next(iter(self._places)))

    def _remove(self, identity: Identity) -> Session | None:
        place = self._places.pop(identity, None)
        if place is None:
            return None
        table, row = self._by_number[place >> _ROW_BITS], place & _ROW_MASK
        session = table.columns([identity], np.array([row])).session(0)
        self._bytes -= table.size(row)
        table.texts[row] = None
        table.free.append(row)
        return session
