"""Figures of every unit over all steps, slice by slice, as exact as in one pass."""

import numpy as np
from numpy.typing import NDArray

from service.analysis.activations import Float64
from service.records import record


@record
class Summary:
    """[U] each, over the `count` steps that a unit has a value for. Without any they are NaN, and
    `peak` is −1.

    `std` is that of the steps themselves (divided by their number); `peak` is the step of the
    largest value, the first of them.
    """

    count: NDArray[np.int64]
    mean: Float64
    std: Float64
    min: Float64
    max: Float64
    peak: NDArray[np.int64]


class Moments:
    """Mean, spread and extremes of U units; NaN is left out.

    Slices are combined as Chan, Golub and LeVeque (1983) do. Everything is counted from a unit's
    first value, so that a unit that never moves has a spread of exactly 0.
    """

    def __init__(self, units: int) -> None:
        self._count = np.zeros(units, np.int64)
        self._first = np.full(units, np.nan)
        self._mean, self._squares = np.zeros(units), np.zeros(units)
        self._min, self._max = np.full(units, np.inf), np.full(units, -np.inf)
        self._peak = np.full(units, -1, np.int64)

    def add(self, values: NDArray[np.floating], begin: int = 0) -> None:
        """values [T, U] of the steps from `begin` on."""
        if not len(values):
            return
        exact: Float64 = values.astype(np.float64, copy=False)
        self._compare(exact, begin)
        self._first = first_values(exact, self._first)
        known = ~np.isnan(exact)
        shifted = np.where(known, exact - self._first, 0.0)
        count = known.sum(axis=0)
        mean = shifted.sum(axis=0) / np.maximum(count, 1)
        squares = (np.where(known, shifted - mean, 0.0) ** 2).sum(axis=0)
        total = np.maximum(self._count + count, 1)
        apart = mean - self._mean
        self._squares += squares + apart**2 * self._count * count / total
        self._mean += apart * count / total
        self._count += count

    def _compare(self, values: Float64, begin: int) -> None:
        self._min = np.fmin(self._min, np.fmin.reduce(values, axis=0))
        at = np.where(np.isnan(values), -np.inf, values).argmax(axis=0)
        largest = values[at, np.arange(values.shape[1])]
        is_larger = largest > self._max
        self._peak[is_larger] = begin + at[is_larger]
        self._max[is_larger] = largest[is_larger]

    def result(self) -> Summary:
        seen = self._count > 0
        none = np.where(seen, 0.0, np.nan)
        return Summary(
            count=self._count.copy(),
            mean=self._first + self._mean,
            std=np.sqrt(self._squares / np.maximum(self._count, 1)) + none,
            min=np.where(seen, self._min, np.nan),
            max=np.where(seen, self._max, np.nan),
            peak=self._peak.copy(),
        )


class Mean:
    """The mean of U units, of figures that may be −∞; NaN is left out."""

    def __init__(self, units: int) -> None:
        self._count = np.zeros(units, np.int64)
        self._sum = np.zeros(units)

    def add(self, values: NDArray[np.floating]) -> None:
        """values [T, U]"""
        known = ~np.isnan(values)
        self._count += known.sum(axis=0)
        self._sum += np.where(known, values, 0.0).sum(axis=0, dtype=np.float64)

    def result(self) -> Float64:
        """[U], NaN for a unit without any value."""
        found: Float64 = np.full(len(self._sum), np.nan)
        np.divide(self._sum, self._count, out=found, where=self._count > 0)
        return found


def first_values(values: Float64, before: Float64) -> Float64:
    """The first known value of each column of [T, N], where `before` [N] has none yet."""
    if not len(values) or not np.isnan(before).any():
        return before
    at = (~np.isnan(values)).argmax(axis=0)
    return np.where(np.isnan(before), values[at, np.arange(values.shape[1])], before)
