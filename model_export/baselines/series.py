"""Forecasts of series without a network: persistence, seasonal naive, ridge regression.

Every forecast depends on nothing after its origin but the columns known ahead.
"""

from typing import Protocol

import numpy as np

from model_export.baselines.baseline import Baseline
from model_export.baselines.ridge import fit_ridge
from model_export.baselines.windows import Origins, SeriesData, Values, last_observed


class Forecast(Protocol):
    """The targets' values, in their own units, at the steps after each origin."""

    def __call__(self, series: int, origins: Origins, /) -> Values:
        """[n, horizon, targets] for origins [n] of that series of the data."""


def forecasters(data: SeriesData) -> tuple[Baseline[Forecast], ...]:
    """Persistence; seasonal naive where there is a season; ridge regression.

    Ridge regression is fitted to the training parts, and its window and penalty are chosen on the
    validation parts. It is left out where one of the two holds no whole horizon.
    """
    found: list[Baseline[Forecast]] = [Baseline("persistence", _Persistence(data))]
    if data.season is not None and data.season > 1:
        seasonal = _SeasonalNaive(data, data.season)
        found.append(Baseline("seasonal naive", seasonal, f"of {data.season} rows"))
    ridge = fit_ridge(data)
    if ridge is not None:
        found.append(Baseline("ridge", ridge.forecast, ridge.chosen))
    return tuple(found)


class _Persistence:
    """The value observed last; before there is one, the mean of the training parts."""

    def __init__(self, data: SeriesData) -> None:
        mean = data.training_mean[: data.targets]
        self._last = [last_observed(one.values[:, : data.targets], mean) for one in data.series]
        self._horizon = data.horizon

    def __call__(self, series: int, origins: Origins, /) -> Values:
        return np.repeat(self._last[series][origins, None], self._horizon, axis=1)


class _SeasonalNaive:
    """The value at the same position of the latest season that is past and has one.

    Hyndman and Athanasopoulos 2021, §5.2: y(t + s) = y(t + s − m·⌈s/m⌉) for a season of m rows.
    Before there is a season, the value observed last.
    """

    def __init__(self, data: SeriesData, season: int) -> None:
        mean = data.training_mean[: data.targets]
        targets = [one.values[:, : data.targets] for one in data.series]
        self._last = [last_observed(values, mean) for values in targets]
        pairs = zip(targets, self._last, strict=True)
        self._seasonal = [_same_position(values, last, season) for values, last in pairs]
        steps = np.arange(1, data.horizon + 1)
        self._steps = steps - season * -(-steps // season)

    def __call__(self, series: int, origins: Origins, /) -> Values:
        rows = origins[:, None] + self._steps
        found = self._seasonal[series][rows.clip(min=0)]
        return np.where(rows[..., None] >= 0, found, self._last[series][origins, None])


def _same_position(values: Values, last: Values, season: int) -> Values:
    """values [N, K] with gaps filled from seasons before, or `last` where those have none."""
    padding = ((0, -len(values) % season), (0, 0))
    seasons = np.pad(values, padding, constant_values=np.nan).reshape(-1, season, values.shape[1])
    before = np.pad(last, padding).reshape(seasons.shape)
    filled = last_observed(seasons, before).reshape(-1, values.shape[1])
    return filled[: len(values)]
