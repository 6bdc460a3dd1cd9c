"""Forecasts without a network, for comparison: persistence and seasonal naive."""

import numpy as np
from numpy.typing import NDArray
from statsmodels.tsa.stattools import acf

Series = NDArray[np.float64]
_CLEAR = 0.1
"""An autocorrelation below this is no season."""


def naive_forecasts(values: Series, start: int, season: int | None) -> dict[str, Series]:
    """One-step forecasts of values[start:], [N − start, C], from the values [N, C] before each.

    Persistence repeats the last value, seasonal naive the value one season ago (Hyndman and
    Athanasopoulos 2021, §5.2).
    """
    forecasts = {"persistence": values[start - 1 : -1]}
    if season is not None and season > 1:
        forecasts["seasonal naive"] = values[start - season : -season]
    return forecasts


def estimated_season(values: Series) -> int | None:
    """The lag of the first high peak in the autocorrelation of the differences of values [N, C].

    Differences, because a trend would hide the season. None where no peak is clear. The first of
    the high peaks, because a season of 12 peaks at 24 and 36 too.
    """
    lags = len(values) // 3
    if lags < 3:
        return None
    columns = np.diff(values, axis=0).T
    mean = np.mean([acf(column, nlags=lags, fft=True) for column in columns], axis=0)
    inner = mean[1:-1]
    is_peak = (inner > mean[:-2]) & (inner >= mean[2:]) & (inner > _CLEAR)
    if not is_peak.any():
        return None
    high = is_peak & (inner >= 0.8 * inner[is_peak].max())
    return int(np.argmax(high)) + 1
