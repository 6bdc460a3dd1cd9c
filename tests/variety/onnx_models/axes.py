"""The axes of a tensor in a foreign file, written as `B T 3`.

`B` and `T` are axes that the file leaves open, `B=1` and `T=12` those that it fixes, numbers are
all others. A tensor without `B` belongs to one sequence, one without `T` is the same at every step
or belongs to the last one.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Axis(NamedTuple):
    symbol: str
    length: int | None


class Axes:
    """One tensor's."""

    def __init__(self, written: str) -> None:
        self.written = written
        self._axes = [_axis(word) for word in written.split()]

    def __len__(self) -> int:
        return len(self._axes)

    def shape(self, batch: int, time: int) -> tuple[int, ...]:
        free = {"B": batch, "T": time}
        return tuple(free[one.symbol] if one.length is None else one.length for one in self._axes)

    @property
    def open(self) -> dict[int, str]:
        """Names of the axes that the file leaves open, by their place."""
        names = {"B": "batch", "T": "time"}
        return {at: names[one.symbol] for at, one in enumerate(self._axes) if one.length is None}

    def fixed(self, symbol: str) -> int | None:
        return next((one.length for one in self._axes if one.symbol == symbol), None)

    def place(self, symbol: str) -> int | None:
        return next((at for at, one in enumerate(self._axes) if one.symbol == symbol), None)

    @property
    def width(self) -> int:
        """Numbers of one sequence at one step."""
        return int(np.prod([one.length or 1 for one in self._axes if not one.symbol]))

    def arranged(self, rows: NDArray[Any]) -> NDArray[Any]:
        """One sequence [T, width], or [width] without a time, as the file takes it."""
        others = [one.length or 1 for one in self._axes if not one.symbol]
        time = [] if self.place("T") is None else [len(rows)]
        array = rows.reshape((*time, *others))
        if time:
            array = np.moveaxis(array, 0, self._rank_before("T"))
        batch = self.place("B")
        return array if batch is None else np.expand_dims(array, batch)

    def rows(self, array: NDArray[Any]) -> NDArray[Any]:
        """The reverse of `arranged`, with as many steps as there are."""
        batch, time = self.place("B"), self.place("T")
        if batch is not None:
            assert array.shape[batch] == 1, f"{self.written!r} for {array.shape}"
            array = array.take(0, axis=batch)
        if time is None:
            return array.ravel()
        steps_first = np.moveaxis(array, self._rank_before("T"), 0)
        return steps_first.reshape(len(steps_first), self.width)

    def _rank_before(self, symbol: str) -> int:
        """Where an axis is once the batch is taken away."""
        place, batch = self.place(symbol), self.place("B")
        assert place is not None
        return place - (batch is not None and batch < place)

    def __iter__(self) -> Iterator[Axis]:
        return iter(self._axes)


def _axis(word: str) -> Axis:
    symbol, _, length = word.partition("=")
    if symbol in ("B", "T"):
        return Axis(symbol, int(length) if length else None)
    return Axis("", int(word))
