"""What was computed of traces last, in as many bytes as it may take."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from service.analysis.unit_statistics import UnitStatistics

if TYPE_CHECKING:
    from service.traces.following import Followed
    from service.traces.run import Slice

Value = TypeVar("Value")

_FINDINGS = 64


class Recent(Generic[Value]):
    """Values by key, in so many bytes; those used longest ago leave first. Any thread may."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._values: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, key: Hashable) -> Value | None:
        with self._lock:
            found = self._values.get(key)
            if found is None:
                return None
            self._values.move_to_end(key)
            return found[0]

    def keep(self, key: Hashable, value: Value, size: int) -> None:
        with self._lock:
            _, before = self._values.pop(key, (None, 0))
            self._bytes += size - before
            self._values[key] = value, size
            while self._bytes > self._most_bytes and self._values:
                _, (_, freed) = self._values.popitem(last=False)
                self._bytes -= freed

    def drop(self, key: Hashable) -> None:
        with self._lock:
            _, freed = self._values.pop(key, (None, 0))
            self._bytes -= freed


class Kept:
    """Slices and states, and what was counted over all steps, by what they were computed from."""

    def __init__(self, most_bytes: int) -> None:
        part = most_bytes // 4
        self.slices: Recent[Slice] = Recent(2 * part)
        self.states: Recent[NDArray[np.float32]] = Recent(part)
        """Between slices: each saves the computation of all steps before it."""
        self.statistics: Recent[UnitStatistics] = Recent(part)
        self.findings: Recent[Followed] = Recent(_FINDINGS)
