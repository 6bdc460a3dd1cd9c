"""Sessions as this process stored them last, so that a step need not read them again.

Another process may have changed them since. So what is found here is good for two things: to
compute a step that is committed by compare and set, which fails where the session has moved; and
to notice that a store has lost what it had confirmed. What a caller is told, an error or an
earlier answer, comes from the store.
"""

from collections import OrderedDict
from collections.abc import Sequence
from itertools import compress
from threading import Lock

import numpy as np

from service.stores.columns import Columns, Texts, counts_of, texts_of, times_of
from service.stores.store import Identity, Session

OVERHEAD_BYTES = 1024
"""What a session takes besides its state, its metadata and its receipts."""

_DOUBTED = -1
_FIRST_ROWS = 64


class _Table:
    """Copies on one version of a model, as columns with free rows; see `Columns`."""

    def __init__(self, model: str, version: int, state_size: int) -> None:
        self.model = model
        self.version = version
        self.counts = np.zeros((_FIRST_ROWS, 4), np.int64)
        self.times = np.zeros((_FIRST_ROWS, 3))
        self.states = np.zeros((_FIRST_ROWS, state_size), np.float32)
        self.looks = np.zeros(_FIRST_ROWS, np.int64)
        """At which look a copy was known to be the store's; `_DOUBTED` where it may not be."""
        self.texts: list[Texts | None] = [None] * _FIRST_ROWS
        self.free = list(range(_FIRST_ROWS))

    def row(self) -> int:
        """A free one."""
        if not self.free:
            rows = len(self.texts)
            for name in ("counts", "times", "states", "looks"):
                column = getattr(self, name)
                setattr(self, name, np.concatenate([column, np.zeros_like(column)]))
            self.texts += [None] * rows
            self.free = list(range(rows, 2 * rows))
        return self.free.pop()

    def columns(self, identities: list[Identity], rows: list[int]) -> Columns:
        texts = self.texts
        return Columns(
            self.model,
            self.version,
            identities,
            self.counts[rows],
            self.times[rows],
            self.states[rows],
            [texts[row] for row in rows],  # type: ignore[misc]  # these rows have some
        )


_Place = tuple[_Table, int]


class Recent:
    """The sessions used last, up to so many bytes. Threads may share it."""

    def __init__(self, max_bytes: int) -> None:
        """Nothing is kept where `max_bytes` is 0."""
        self._max_bytes = max_bytes
        self._tables: dict[tuple[str, int, int], _Table] = {}
        self._places: OrderedDict[Identity, _Place] = OrderedDict()
        """Those used longest ago in front."""
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
            by_table, unknown = self._by_table(identities)
            found = []
            for table, (indexes, rows) in by_table.items():
                fresh = table.looks[rows] == self._looks
                known = indexes if fresh.all() else list(compress(indexes, fresh))
                if len(known) < len(indexes):
                    unknown += compress(indexes, ~fresh)
                if known:
                    named = [identities[index] for index in known]
                    found.append((known, table.columns(named, list(compress(rows, fresh)))))
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
            key = session.model, session.version, len(session.state)
            table = self._tables.get(key)
            if table is None:
                table = self._tables[key] = _Table(*key)
            row = table.row()
            table.counts[row] = counts_of(session)
            table.times[row] = times_of(session)
            table.states[row] = session.state
            table.looks[row] = _DOUBTED if doubted else self._looks
            table.texts[row] = texts_of(session)
            self._places[session.identity] = table, row
            self._bytes += _size(table, row)
            self._make_room()

    def keep_moved(self, moved: Columns) -> None:
        """Sessions that have just been stored; as `keep`."""
        with self._lock:
            by_table, unknown = self._by_table(moved.identities)
            for table, (indexes, rows) in by_table.items():
                if (table.model, table.version) != (moved.model, moved.version):
                    unknown += indexes
                    continue
                self._overwrite(table, rows, moved, indexes)
            self._make_room()
        for index in unknown:
            self.keep(moved.session(index))

    def doubt(self, identity: Identity) -> None:
        """Find a copy no more, but keep it until the session is read."""
        with self._lock:
            place = self._places.get(identity)
            if place is not None:
                table, row = place
                table.looks[row] = _DOUBTED

    def take(self, identity: Identity) -> Session | None:
        """The copy, doubted or not, which is not kept any more."""
        with self._lock:
            return self._remove(identity)

    def _by_table(
        self, identities: Sequence[Identity]
    ) -> tuple[dict[_Table, tuple[list[int], list[int]]], list[int]]:
        """Indexes and rows of the copies, by their tables; and the indexes of those without."""
        by_table: dict[_Table, tuple[list[int], list[int]]] = {}
        unknown: list[int] = []
        get = self._places.get
        for index, place in enumerate(map(get, identities)):
            if place is None:
                unknown.append(index)
                continue
            table, row = place
            pair = by_table.get(table)
            if pair is None:
                pair = by_table[table] = [], []
            pair[0].append(index)
            pair[1].append(row)
        return by_table, unknown

    def _overwrite(
        self, table: _Table, rows: list[int], moved: Columns, indexes: list[int]
    ) -> None:
        chosen = moved if len(indexes) == len(moved) else moved.take(indexes)
        table.counts[rows] = chosen.counts
        table.times[rows] = chosen.times
        table.states[rows] = chosen.states
        table.looks[rows] = self._looks
        move, before = self._places.move_to_end, table.texts
        for identity, row, texts in zip(chosen.identities, rows, chosen.texts, strict=True):
            move(identity)
            if before[row] is not texts:
                self._bytes -= _size(table, row)
                before[row] = texts
                self._bytes += _size(table, row)

    def _make_room(self) -> None:
        while self._bytes > self._max_bytes and self._places:
            self._remove(next(iter(self._places)))

    def _remove(self, identity: Identity) -> Session | None:
        place = self._places.pop(identity, None)
        if place is None:
            return None
        table, row = place
        session = table.columns([identity], [row]).session(0)
        self._bytes -= _size(table, row)
        table.texts[row] = None
        table.free.append(row)
        return session


def _size(table: _Table, row: int) -> int:
    texts = table.texts[row]
    assert texts is not None
    return OVERHEAD_BYTES + 4 * table.states.shape[1] + sum(map(len, texts))
