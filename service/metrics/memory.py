"""Where the numbers of metrics are: in memory that all processes of a service see.

Every process writes into a page of its own and reads those of the others, so that whichever of
them is asked answers for all. prometheus_client's own way for several processes takes 2 to 3 µs
for each number and a folder of files that outlive their processes; this one takes a tenth, needs
no file system, and a process that is killed takes nothing with it: the one in its place goes on
with its page.
"""

import json
import mmap
import os
import tempfile
from collections.abc import Iterator
from multiprocessing.reduction import DupFd
from typing import Any, Protocol

VALUES = 16_384
"""Most numbers in a page. What finds no room any more is counted for nobody."""
KEY_BYTES = 1 << 20

_PAGE_BYTES = 8 * VALUES + KEY_BYTES
_PID, _KEYS_END, _HEAD = 0, 1, 2

Key = tuple[str, ...]
"""A metric's name and the values of its labels."""


class Page:
    """The numbers of one process: `values` is a view of float64, and keys say whose they are."""

    def __init__(self, memory: memoryview) -> None:
        self.values = memory[: 8 * VALUES].cast("d")
        self._keys = memory[8 * VALUES :]
        self._places: dict[Key, int] = {}
        self._next = _HEAD
        for key, place, width in self._read_keys():
            self._places[key] = place
            self._next = place + width

    @property
    def pid(self) -> int:
        """Of the process that writes, or that did so last; 0 where none has."""
        return int(self.values[_PID])

    def take(self) -> None:
        """Write as this process."""
        self.values[_PID] = os.getpid()

    def place(self, key: Key, width: int) -> int | None:
        """Where the `width` numbers of a key begin; None where there is no room for them."""
        if key in self._places:
            return self._places[key]
        place = self._next
        line = json.dumps([*key, place, width]).encode() + b"\n"
        end = int(self.values[_KEYS_END])
        if place + width > VALUES or end + len(line) > KEY_BYTES:
            return None
        self._places[key] = place
        self._next = place + width
        self._keys[end : end + len(line)] = line
        self.values[_KEYS_END] = end + len(line)
        return place

    def clear(self, name: str) -> None:
        """Zeros for all numbers of one metric."""
        for key, place, width in self._read_keys():
            if key[0] == name:
                for index in range(place, place + width):
                    self.values[index] = 0.0

    def read(self) -> Iterator[tuple[Key, list[float]]]:
        """All keys with their numbers, also those that another process writes just now."""
        for key, place, width in self._read_keys():
            yield key, list(self.values[place : place + width])

    def _read_keys(self) -> Iterator[tuple[Key, int, int]]:
        for line in bytes(self._keys[: int(self.values[_KEYS_END])]).splitlines():
            *key, place, width = json.loads(line)
            yield tuple(key), place, width


class _Passed(Protocol):
    def detach(self) -> int: ...


class Memory:
    """A page for each of `count` processes; it can be handed to processes that are spawned."""

    def __init__(self, count: int = 1, descriptor: int | None = None) -> None:
        """`descriptor` is another process's memory of as many pages."""
        self._count = count
        self._descriptor = _anonymous(count) if descriptor is None else descriptor
        self._map = memoryview(mmap.mmap(self._descriptor, count * _PAGE_BYTES))

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, (self._count, DupFd(self._descriptor))

    def __len__(self) -> int:
        return self._count

    def page(self, number: int) -> Page:
        """As it is now."""
        return Page(self._map[number * _PAGE_BYTES : (number + 1) * _PAGE_BYTES])


def _anonymous(count: int) -> int:
    """A file of zeros without a name, which is gone with the last process that has it open."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("metrics")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, count * _PAGE_BYTES)
    return descriptor


def _received(count: int, descriptor: "_Passed") -> Memory:
    return Memory(count, descriptor.detach())
