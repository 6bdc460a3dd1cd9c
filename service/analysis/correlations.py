"""Pearson's correlations of units with markings, slice by slice, as exact as in one pass."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from service.analysis.activations import Float64
from service.analysis.moments import first_values
from service.records import record

_ROUNDING = 1e-13
"""Relative: what is smaller is what rounding has left of nothing."""


@record
class _Sums:
    """Of M markings y and U units x, [M, U] each, over the steps at which both are known: how many,
    the means, and the sums of products of what is left without them."""

    count: Float64
    x: Float64
    y: Float64
    xx: Float64
    yy: Float64
    xy: Float64

    def plus(self, other: "_Sums") -> "_Sums":
        """Of both (Chan, Golub and LeVeque 1983)."""
        count = self.count + other.count
        share = np.divide(other.count, count, out=np.zeros_like(count), where=count > 0)
        x, y = other.x - self.x, other.y - self.y
        weight = self.count * share
        return _Sums(
            count,
            self.x + x * share,
            self.y + y * share,
            self.xx + other.xx + x * x * weight,
            self.yy + other.yy + y * y * weight,
            self.xy + other.xy + x * y * weight,
        )


class Correlations:
    """Of U units with M markings; a pair leaves out the steps at which either is NaN.

    Everything is counted from the first value of a unit and of a marking, so that what never moves
    has a variance of exactly 0.
    """

    def __init__(self, units: int, markings: int) -> None:
        self._x_first, self._y_first = np.full(units, np.nan), np.full(markings, np.nan)
        self._x_size, self._y_size = np.zeros(units), np.zeros(markings)
        self._sums = _Sums(*(np.zeros((markings, units)) for _ in range(6)))

    def add(self, values: NDArray[np.floating], markings: NDArray[np.floating]) -> None:
        """values [T, U] and markings [T, M] of the next steps."""
        values, markings = (one.astype(np.float64, copy=False) for one in (values, markings))
        self._x_first = first_values(values, self._x_first)
        self._y_first = first_values(markings, self._y_first)
        x, y = values - self._x_first, markings - self._y_first
        self._x_size = np.fmax(self._x_size, _size(x))
        self._y_size = np.fmax(self._y_size, _size(y))
        self._sums = self._sums.plus(_sums(x, y))

    def merged(self, other: "Correlations") -> Self:
        """Those over the steps of both, which stay as they are."""
        both = type(self)(len(self._x_first), len(self._y_first))
        both._x_first = np.where(np.isnan(self._x_first), other._x_first, self._x_first)
        both._y_first = np.where(np.isnan(self._y_first), other._y_first, self._y_first)
        x_moved = _moved(other._x_first, both._x_first)
        y_moved = _moved(other._y_first, both._y_first)
        both._x_size = np.fmax(self._x_size, other._x_size + np.abs(x_moved))
        both._y_size = np.fmax(self._y_size, other._y_size + np.abs(y_moved))
        theirs = other._sums
        x, y = theirs.x + x_moved, theirs.y + y_moved[:, np.newaxis]
        shifted = _Sums(theirs.count, x, y, theirs.xx, theirs.yy, theirs.xy)
        both._sums = self._sums.plus(shifted)
        return both

    def result(self) -> Float64:
        """[M, U]. 0 where either does not vary, and where no step has both."""
        sums = self._sums
        varies = _varies(sums.xx, self._x_size, sums.count)
        varies &= _varies(sums.yy, self._y_size[:, np.newaxis], sums.count)
        scale = np.sqrt(sums.xx * sums.yy)
        found = np.divide(sums.xy, scale, out=np.zeros_like(scale), where=varies & (scale > 0))
        return np.asarray(np.clip(found, -1, 1))


def _varies(squares: Float64, size: Float64, count: Float64) -> NDArray[np.bool_]:
    """Whether more is left than what rounding makes of means that are equal in every slice."""
    return np.asarray(squares > count * (_ROUNDING * size) ** 2)


def _size(values: Float64) -> Float64:
    """The largest of each column, by size."""
    return np.asarray(np.fmax.reduce(np.abs(values), axis=0, initial=0.0))


def _moved(before: Float64, after: Float64) -> Float64:
    """How a mean changes that is counted from another first value; 0 where there is none."""
    return np.nan_to_num(before - after)


def _sums(x: Float64, y: Float64) -> _Sums:
    """x [T, U] and y [T, M]: six products of matrices, whatever is missing where."""
    (x, has_x, x_mean), (y, has_y, y_mean) = _centred(x), _centred(y)
    count = has_y.T @ has_x
    steps = np.maximum(count, 1)
    x_sum, y_sum = has_y.T @ x, y.T @ has_x
    # Only where a pair leaves out other steps than the unit or the marking itself does are these
    # sums not 0 by now, but for rounding.
    return _Sums(
        count,
        x_mean + x_sum / steps,
        y_mean[:, np.newaxis] + y_sum / steps,
        _without_mean(has_y.T @ x**2, x_sum, steps),
        _without_mean((y**2).T @ has_x, y_sum, steps),
        y.T @ x - x_sum * y_sum / steps,
    )


def _centred(values: Float64) -> tuple[Float64, Float64, Float64]:
    """Without the mean of each column of [T, N], 0 where they are NaN; where they are not; and the
    means [N]."""
    known = ~np.isnan(values)
    mean = np.where(known, values, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.where(known, values - mean, 0.0), known.astype(np.float64), mean


def _without_mean(squares: Float64, total: Float64, steps: Float64) -> Float64:
    left = squares - total**2 / steps
    return np.where(left > _ROUNDING * squares, left, 0.0)
