"""Counters, gauges and histograms that cost little where they are used.

A family has a child for each combination of its labels' values; code on a hot path asks for its
children once. Children may be used from any thread.
"""

import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import accumulate
from threading import Lock
from typing import Generic, ParamSpec, TypeVar

from service.metrics.memory import Key, Memory, Page

Child_co = TypeVar("Child_co", bound="Numbers", covariant=True)
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_LOCAL = Memory()
_LOCAL_PAGE = _LOCAL.page(0)
_ALLOCATING = Lock()


class Numbers:
    """The numbers of one combination of labels, wherever they are at the moment."""

    __slots__ = ("_lock", "_place", "_values")

    def __init__(self, lock: Lock, width: int) -> None:
        self._lock = lock
        self._values = memoryview(bytearray(8 * width)).cast("d")
        self._place = 0

    def move(self, page: Page, key: Key, width: int, *, adds: bool) -> None:
        """Go on in a page: on top of what is there, or in its place."""
        place = page.place(key, width)
        if place is None:
            return
        with self._lock:
            for index in range(width):
                number = self._values[self._place + index]
                page.values[place + index] = number + adds * page.values[place + index]
            self._values, self._place = page.values, place


class Count(Numbers):
    """A number that only grows."""

    __slots__ = ()

    def inc(self, amount: float = 1.0) -> None:
        with self._lock:
            self._values[self._place] += amount

    def inc_alone(self) -> None:
        """One more, for a child that a single thread uses."""
        self._values[self._place] += 1.0


class Level(Numbers):
    """A number that goes up and down."""

    __slots__ = ()

    def inc(self, amount: float = 1.0) -> None:
        with self._lock:
            self._values[self._place] += amount

    def set(self, value: float) -> None:
        with self._lock:
            self._values[self._place] = value

    def note(self, value: float) -> None:
        """As `set`, of a number that all processes know: the one noted last is shown."""
        with self._lock:
            self._values[self._place] = value
            self._values[self._place + 1] = time.monotonic()


class Distribution(Numbers):
    """How many observations there were up to each bound, and their sum."""

    __slots__ = ("_bounds", "_sum")

    def __init__(self, lock: Lock, bounds: Sequence[float]) -> None:
        super().__init__(lock, len(bounds) + 2)
        self._bounds = bounds
        self._sum = len(bounds) + 1

    def observe(self, value: float) -> None:
        with self._lock:
            values, place = self._values, self._place
            values[place + bisect_left(self._bounds, value)] += 1.0
            values[place + self._sum] += value

    def observe_alone(self, value: float) -> None:
        """As `observe`, for a child that a single thread uses."""
        values, place = self._values, self._place
        values[place + bisect_left(self._bounds, value)] += 1.0
        values[place + self._sum] += value

    def time(
        self,
        work: Callable[Parameters, Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """What `work` returns; how long it took is observed, also where it raises."""
        began = time.perf_counter()
        try:
            return work(*args, **kwargs)
        finally:
            self.observe(time.perf_counter() - began)


class Family(Generic[Child_co]):
    """A metric: its name, what it says, and a child for each combination of labels' values."""

    width = 1
    """How many numbers a child has."""
    adds = True
    """Whether what a process leaves behind counts on."""

    def __init__(self, name: str, help_text: str, labels: Sequence[str] = ()) -> None:
        self.name = name
        self.help_text = help_text
        self.label_names = tuple(labels)
        self._children: dict[Key, Child_co] = {}
        self._lock = Lock()
        self._page = _LOCAL_PAGE

    def labels(self, *values: str) -> Child_co:
        """The child of these values, in the order of the labels' names."""
        assert len(values) == len(self.label_names)
        child = self._children.get(values)
        if child is None:
            with self._lock:
                child = self._children.get(values)
                if child is None:
                    child = self._new()
                    with _ALLOCATING:
                        child.move(self._page, (self.name, *values), self.width, adds=self.adds)
                    self._children[values] = child
        return child

    def move(self, page: Page) -> None:
        """Have all numbers of this process in a page, with what is there already."""
        with self._lock:
            self._page = page
            if not self.adds:
                page.clear(self.name)
            for values, child in self._children.items():
                child.move(page, (self.name, *values), self.width, adds=self.adds)

    def _new(self) -> Child_co:
        raise NotImplementedError


class Counter(Family[Count]):
    """`name` ends in _total."""

    def _new(self) -> Count:
        return Count(Lock(), self.width)


class Gauge(Family[Level]):
    """Summed over all processes; or, where all know the same number, the `latest` of them."""

    width = 2
    adds = False

    def __init__(
        self, name: str, help_text: str, labels: Sequence[str] = (), *, latest: bool = False
    ) -> None:
        super().__init__(name, help_text, labels)
        self.latest = latest

    def _new(self) -> Level:
        return Level(Lock(), self.width)


class Histogram(Family[Distribution]):
    """Observations are counted up to each of `bounds`, and beyond."""

    def __init__(
        self, name: str, help_text: str, labels: Sequence[str] = (), *, bounds: Sequence[float]
    ) -> None:
        super().__init__(name, help_text, labels)
        self.bounds = tuple(bounds)
        self.width = len(bounds) + 2

    def cumulative(self, numbers: Sequence[float]) -> list[float]:
        """How many observations were at most each bound; the last counts all."""
        return list(accumulate(numbers[: len(self.bounds) + 1]))

    def _new(self) -> Distribution:
        return Distribution(Lock(), self.bounds)


def local_memory() -> Memory:
    """Where numbers are in a process that is alone, and until it knows that it is not."""
    return _LOCAL
