"""Forecasts without a network, for comparison: persistence and seasonal naive."""

import numpy as np
from numpy.typing import NDArray
from statsmodels.tsa.stattools import acf
from statsmodels.tsa.tsatools import detrend

Series = NDArray[np.float64]
_LEVEL = 0.001
"""Of the test for a season."""
_MIN_CYCLES = 3


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
    """The season's length in rows of values [N, C], or None where none is clear.

    The strongest frequency of the steps from row to row (of the steps, because a trend or slow
    wandering would outweigh any season), if Fisher's g-test (1929) finds it stronger than chance.
    Frequencies are coarse at long seasons: among the lags it stands for, the one of highest
    autocorrelation wins.
    """
    steps = np.diff(values, axis=0)
    power = (np.abs(np.fft.rfft(steps / steps.std(0), axis=0)) ** 2).mean(1)[1:]
    cycles = int(power.argmax()) + 1
    by_chance = 1 - (_LEVEL / len(power)) ** (1 / (len(power) - 1))
    if cycles < _MIN_CYCLES or power.max() / power.sum() < by_chance:
        return None
    first, last = len(steps) // (cycles + 1), -(-len(steps) // (cycles - 1))
    columns = detrend(values, order=2, axis=0).T
    correlation = np.mean([acf(column, nlags=last, fft=True) for column in columns], axis=0)
    return first + int(correlation[first:].argmax())
