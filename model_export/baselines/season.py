"""The length of a season."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from statsmodels.tsa.stattools import acf
from statsmodels.tsa.tsatools import detrend

Series = NDArray[np.float64]
_LEVEL = 0.001
"""Chance of seeing a season where there is none."""
_MIN_CYCLES = 3
_NEIGHBOURS = 15
_OVERTONES = 3
_ALIKE = 0.15
"""Autocorrelations that differ by less are taken to repeat the same season."""


def estimated_season(values: Series) -> int | None:
    """The season's length in rows of values [N, C], or None where none is clear.

    Looks for the frequency that stands out most from its neighbours in the periodogram of the
    steps from row to row (of the steps, because a trend or slow wandering would hide the season).
    That may be an overtone, and frequencies are coarse at long seasons: among the lags that it may
    stand for, the autocorrelation decides. Missing values (NaN) become straight lines: give the
    training part alone, or a gap at its end is filled from the future.
    """
    columns = _changing(_without_gaps(values))
    steps = np.diff(columns, axis=0)
    if len(steps) // 2 <= 2 * _NEIGHBOURS or not steps.size:
        return None
    power = (np.abs(np.fft.rfft(steps / steps.std(0), axis=0)) ** 2).mean(1)[1:]
    around = sliding_window_view(np.pad(power, _NEIGHBOURS, "reflect"), 2 * _NEIGHBOURS + 1)
    prominence = power / np.median(around, axis=1)
    cycles = int(prominence.argmax()) + 1
    # The power of noise is distributed exponentially, with the median at ln 2 of the mean.
    if cycles < _MIN_CYCLES or prominence.max() < np.log(len(power) / _LEVEL) / np.log(2):
        return None
    detrended = detrend(columns, order=2, axis=0).T
    correlations = [acf(column, nlags=len(steps) - 1, fft=True) for column in detrended]
    return _lag(cycles, np.mean(correlations, axis=0))


def _without_gaps(values: Series) -> Series:
    filled = [_interpolated(column) for column in values.T if not np.isnan(column).all()]
    return np.stack(filled, axis=1) if filled else np.empty((len(values), 0))


def _interpolated(column: Series) -> Series:
    rows, known = np.arange(len(column)), ~np.isnan(column)
    return np.interp(rows, rows[known], column[known])


def _changing(values: Series) -> Series:
    """The columns whose steps vary: a constant or a straight line has no season."""
    steps = np.diff(values, axis=0)
    if not len(steps):
        return values[:, :0]
    kept: Series = values[:, steps.std(0) > 1e-12 * np.abs(values).max(0)]
    return kept


def _lag(cycles: int, correlation: NDArray[np.float64]) -> int:
    """The lag that `cycles` in len(correlation) rows stand for, or are an overtone of."""
    shortest, longest = len(correlation) // (cycles + 1), -(-len(correlation) // (cycles - 1))
    ranges = [np.arange(n * shortest, n * longest + 1) for n in range(1, _OVERTONES + 1)]
    lags = [int(lag[correlation[lag].argmax()]) for lag in ranges if lag[-1] < len(correlation)]
    enough = max(correlation[lags]) - _ALIKE
    return next(lag for lag in lags if correlation[lag] >= enough)
