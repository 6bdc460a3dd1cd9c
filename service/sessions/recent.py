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

import numpy as np

from service.stores.columns import Columns
from service.stores.store import Identity, Session

OVERHEAD_BYTES = 1024
"""What a session takes besides its state, its metadata and its receipts."""

_DOUBTED = -1
_FIRST_ROWS = 64

_ROW_BITS = 32
_ROW_MASK = (1 << _ROW_BITS) - 1
_NOWHERE = -1


class _Table:
    """Copies on one version of a model, in rows of which some are free."""

    def __init__(self, model: str, version: int, state_size: int, number: int) -> None:
        self.first_place = number << _ROW_BITS
        state = np.zeros(state_size, np.float32)
        times = (0.0, 0.0, 0.0)
        self.nobody = Session("", model, version, 0, 0, 0, state, *times, b"", b"", b"", b"")
        """In the free rows."""
        self.copies = Columns.of([self.nobody] * _FIRST_ROWS)
        self.looks = [0] * _FIRST_ROWS
        """At which look a copy was known to be the store's; `_DOUBTED` where it may not be."""
        self.free = list(range(_FIRST_ROWS))

    def row(self) -> int:
        """A free one."""
        if not self.free:
            rows = len(self.copies)
            self.free = list(range(rows, 2 * rows))
            self.copies = Columns.joined([self.copies, Columns.of([self.nobody] * rows)])
            self.looks += [0] * rows
        return self.free.pop()

    def size(self, row: int) -> int:
        """Bytes that a copy takes, about."""
        state: int = self.copies.states[row].nbytes
        return OVERHEAD_BYTES + state + sum(map(len, self.copies.texts[row]))


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
            places = list(map(self._places.get, identities, repeat(_NOWHERE)))
            by_number = _by_table(places)
            unknown = by_number.pop(_NOWHERE, [])
            found = []
            for number, indexes in by_number.items():
                table = self._by_number[number]
                looks, now = table.looks, self._looks
                known = [one for one in indexes if looks[places[one] & _ROW_MASK] == now]
                if len(known) < len(indexes):
                    unknown += set(indexes).difference(known)
                if known:
                    rows = [places[index] & _ROW_MASK for index in known]
                    columns = table.copies.take(rows)
                    columns.copies = rows
                    found.append((known, columns))
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
            table = self._table(session.model, session.version, len(session.state))
            row = table.row()
            table.copies.put(row, session)
            table.looks[row] = _DOUBTED if doubted else self._looks
            self._places[session.identity] = table.first_place | row
            self._bytes += table.size(row)
            self._make_room()

    def keep_moved(self, moved: Columns) -> None:
        """Sessions that have just been stored; as `keep`."""
        with self._lock:
            table = self._table(moved.model, moved.version, moved.states.shape[1])
            owners, begun = table.copies.identities, table.copies.created_at
            # A row may have become another session's since it was copied.
            stays = [
                row >= 0 and owners[row] == identity and begun[row] == created_at
                for row, identity, created_at in zip(
                    moved.copies, moved.identities, moved.created_at, strict=True
                )
            ]
            kept = moved if all(stays) else moved.take(list(compress(range(len(moved)), stays)))
            self._overwrite(table, kept)
            self._make_room()
        if len(kept) < len(moved):
            for index in compress(range(len(moved)), map(not_, stays)):
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

    def _table(self, model: str, version: int, state_size: int) -> _Table:
        key = model, version, state_size
        table = self._tables.get(key)
        if table is None:
            table = self._tables[key] = _Table(*key, len(self._by_number))
            self._by_number.append(table)
        return table

    def _overwrite(self, table: _Table, moved: Columns) -> None:
        copies, looks, now = table.copies, table.looks, self._looks
        copies.states[moved.copies] = moved.states
        columns = zip(
            moved.copies,
            moved.steps,
            moved.changes,
            moved.revisions,
            moved.expires_at,
            moved.texts,
            strict=True,
        )
        for row, step, changes, revision, expires_at, texts in columns:
            copies.steps[row] = step
            copies.changes[row] = changes
            copies.revisions[row] = revision
            copies.expires_at[row] = expires_at
            looks[row] = now
            before = copies.texts[row]
            if before is not texts:
                self._bytes += sum(map(len, texts)) - sum(map(len, before))
                copies.texts[row] = texts
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
        session = table.copies.session(row)
        self._bytes -= table.size(row)
        table.copies.put(row, table.nobody)
        table.free.append(row)
        return session


def _by_table(places: Sequence[int]) -> dict[int, list[int]]:
    """The indexes of places by the numbers of their tables, `_NOWHERE` for none."""
    lowest = min(places, default=_NOWHERE) >> _ROW_BITS
    highest = max(places, default=_NOWHERE) >> _ROW_BITS
    if lowest == highest:  # of one table, as nearly always
        return {lowest: list(range(len(places)))}
    found: dict[int, list[int]] = {}
    for index, place in enumerate(places):
        found.setdefault(place >> _ROW_BITS, []).append(index)
    return found
