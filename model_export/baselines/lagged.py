"""What a linear model of the next rows sees: lagged rows in standard units, and where gaps were."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_export.baselines.windows import Origins, SeriesData, Values, future, last_observed


@dataclass(frozen=True, slots=True)
class Features:
    """Of n origins: `past` [n, P] and, for each step ahead, `ahead` [n, horizon, A]."""

    past: Values
    ahead: Values


class Lagged:
    """Features and targets, standardised by what is observed in the training parts.

    The features of the past are ordered so that those of a shorter window are the first ones:

        1, the last row, its gaps, the row before less the last row, its gaps, …

    Gaps are 1 where a value was missing, for the columns with gaps in training. Rows before the
    first one repeat it. Ahead are the known columns and their gaps.
    """

    def __init__(self, data: SeriesData) -> None:
        training = np.concatenate([one.values[: one.split.train] for one in data.series])
        self.data = data
        self.mean = data.training_mean
        self.scale = _deviation(training - self.mean)
        with_gaps = np.flatnonzero(np.isnan(training).any(0))
        self._observed = [(one.values - self.mean) / self.scale for one in data.series]
        self._values = [last_observed(values, np.zeros(())) for values in self._observed]
        self._gaps = [np.isnan(one.values[:, with_gaps]) * 1.0 for one in data.series]
        known = np.arange(data.targets, data.targets + data.known)
        known_gaps = np.flatnonzero(np.isin(with_gaps, known))
        self._ahead = [
            np.hstack([values[:, known], gaps[:, known_gaps]])
            for values, gaps in zip(self._values, self._gaps, strict=True)
        ]

    @property
    def row_width(self) -> int:
        """Features of one row of the past: its values and its gaps."""
        return len(self.mean) + int(self._gaps[0].shape[1])

    def selected(self, window: int, level: bool) -> NDArray[np.int64]:
        """Which features of the past a window has, with or without the last row's values."""
        features = np.arange(1 + window * self.row_width)
        return features if level else np.delete(features, np.arange(1, 1 + len(self.mean)))

    def features(self, series: int, origins: Origins, window: int) -> Features:
        """Raises IndexError where a known row lies past the end of the series."""
        rows = (origins[:, None] - np.arange(window)).clip(min=0)
        values = self._values[series][rows]
        values[:, 1:] -= values[:, :1]
        past = np.concatenate([values, self._gaps[series][rows]], axis=2)
        flat = past.reshape(len(rows), window * self.row_width)
        return Features(np.hstack([np.ones((len(rows), 1)), flat]), self._known(series, origins))

    def _known(self, series: int, origins: Origins) -> Values:
        ahead = self._ahead[series]
        if not ahead.shape[1]:
            return np.empty((len(origins), self.data.horizon, 0))
        return future(ahead, origins, self.data.horizon)

    def changes(self, series: int, origins: Origins) -> Values:
        """Targets less the last observed ones, [n, horizon, targets]; NaN where missing."""
        targets = self._observed[series][:, : self.data.targets]
        return future(targets, origins, self.data.horizon) - self.last(series, origins)

    def last(self, series: int, origins: Origins) -> Values:
        """The targets observed last, [n, 1, targets]; the mean where there is none yet."""
        values: Values = self._values[series][origins, None, : self.data.targets]
        return values


def _deviation(centred: Values) -> Values:
    """Standard deviation [C] of what is observed; 1 for a constant column."""
    seen = ~np.isnan(centred)
    variance = (np.where(seen, centred, 0) ** 2).sum(0) / np.maximum(seen.sum(0), 1)
    return np.where(variance > 0, np.sqrt(variance), 1.0)
