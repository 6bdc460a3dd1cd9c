"""A generator in slices of time, so that it can share a thread with others."""

import time
from collections.abc import Callable, Generator, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

SLICE_SECONDS = 0.01
"""Long against the way to the thread and back, short for somebody who waits for a turn."""


class Slices(Iterator[list[Item]], Generic[Item, Result]):
    """What a generator yields, in lists: each what it gives within a slice of time, at least one.

    The first slice may be shorter: somebody may be waiting for the very first item.
    """

    def __init__(
        self,
        items: Generator[Item, None, Result],
        *,
        first_seconds: float = SLICE_SECONDS,
        seconds: float = SLICE_SECONDS,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._items = items
        self._next_seconds = first_seconds
        self._seconds = seconds
        self._clock = clock
        self.result: Result | None = None
        """What the generator returned; None until it is over."""

    def __next__(self) -> list[Item]:
        if self.result is not None:
            raise StopIteration
        end = self._clock() + self._next_seconds
        self._next_seconds = self._seconds
        taken: list[Item] = []
        while self.result is None and (not taken or self._clock() < end):
            try:
                taken.append(next(self._items))
            except StopIteration as returned:
                self.result = returned.value
        return taken
