"""The values of some units over some steps, reduced where there are more steps than columns."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.operations.traces import Window
from service.traces.asking import Working, check_numbers, span_of, units_of
from service.traces.run import Run
from service.traces.tensors import check_layer, check_tensor, values


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """`values` [T, U] of steps `begin` to `end`; or, of C columns of `steps_per_column` steps each,
    `least` and `largest` [C, U]. Steps without a value are NaN, and do not count beside others."""

    tensor: str
    layer: int
    units: Sequence[int]
    begin: int
    end: int
    steps_per_column: int
    values: NDArray[np.float32] | None = None
    least: NDArray[np.float32] | None = None
    largest: NDArray[np.float32] | None = None


def window(run: Run, asked: Window) -> Working[Shown]:
    """Raises InvalidInput, AskedTooMuch."""
    check_layer(run, asked.layer)
    check_tensor(run, asked.layer, asked.tensor)
    begin, end = span_of(run, asked.begin, asked.end)
    units = units_of(run, asked.layer, asked.units)
    steps = end - begin
    per_column = 1 if asked.columns is None else -(-steps // asked.columns)
    columns = -(-steps // per_column)
    check_numbers(
        columns * len(units) * (1 if per_column == 1 else 2),
        "ask for fewer `units` or steps, or for fewer `columns`",
    )
    chosen = slice(None) if asked.units is None else np.array(units)
    reduced = _Reduced(columns, len(units), per_column)
    for first, found in values(run, asked.layer, asked.tensor, begin, end):
        reduced.add(first - begin, found[:, chosen])
        yield
    about = (asked.tensor, asked.layer, units, begin, end, per_column)
    if per_column == 1:
        return Shown(*about, values=reduced.least)
    return Shown(*about, least=reduced.least, largest=reduced.largest)


class _Reduced:
    """The least and the largest value of every column."""

    def __init__(self, columns: int, units: int, per_column: int) -> None:
        self.least = np.full((columns, units), np.nan, np.float32)
        self.largest = self.least if per_column == 1 else self.least.copy()
        self._per_column = per_column

    def add(self, first: int, found: NDArray[np.float32]) -> None:
        """Values [n, U] of the steps from `first` on, counted from the first column's."""
        if self._per_column == 1:
            self.least[first : first + len(found)] = found
            return
        starts = np.arange(first - first % self._per_column, first + len(found), self._per_column)
        columns = slice(starts[0] // self._per_column, starts[-1] // self._per_column + 1)
        offsets = np.maximum(starts - first, 0)
        for kept, pick in ((self.least, np.fmin), (self.largest, np.fmax)):
            kept[columns] = pick(kept[columns], pick.reduceat(found, offsets, axis=0))
