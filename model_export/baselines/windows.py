"""Series with their splits, and the rows around a forecast's origin."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_export.data.source import Split

Values = NDArray[np.float64]
Origins = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SplitSeries:
    """`values` [N, C] float64, oldest first, NaN where missing; `split.total` is N."""

    values: Values
    split: Split


@dataclass(frozen=True, slots=True)
class SeriesData:
    """Series of the same C columns: first the targets, then those known ahead, then the rest.

    A forecast from origin t knows every column up to row t, and the `known` ones up to row
    t + `horizon`; it answers the `targets` at rows t + 1 … t + horizon. `season` is in rows.
    Raises ValueError where the numbers do not fit.
    """

    series: tuple[SplitSeries, ...]
    targets: int
    known: int
    horizon: int
    season: int | None = None

    def __post_init__(self) -> None:
        if not self.series or self.targets < 1 or self.known < 0 or self.horizon < 1:
            raise ValueError("at least one series, one target and one step ahead are needed")
        if len({one.values.shape[1] for one in self.series}) > 1:
            raise ValueError("all series need the same columns")
        if self.series[0].values.shape[1] < self.targets + self.known:
            raise ValueError("fewer columns than targets and known ones")
        if any(one.split.total != len(one.values) for one in self.series):
            raise ValueError("a split is of another length than its series")

    @property
    def training_mean(self) -> Values:
        """Mean [C] of what is observed in all training parts; 0 where that is nothing."""
        rows = np.concatenate([one.values[: one.split.train] for one in self.series])
        seen = ~np.isnan(rows)
        mean: Values = np.where(seen, rows, 0).sum(0) / np.maximum(seen.sum(0), 1)
        return mean


def origins_of(start: int, end: int, horizon: int) -> Origins:
    """The origins whose targets all lie in rows [start, end); empty where none fits."""
    return np.arange(max(start - 1, 0), end - horizon)


def future(values: Values, origins: Origins, horizon: int) -> Values:
    """Rows t + 1 … t + horizon of values [N, C] for each origin t, [n, horizon, C].

    Raises IndexError where a row lies past the end.
    """
    rows: Values = values[origins[:, None] + np.arange(1, horizon + 1)]
    return rows


def last_observed(values: Values, before: Values) -> Values:
    """values [N, …] with every NaN replaced by the value observed last in its column.

    Where nothing was observed so far, `before` (broadcast to values) stands. Row t depends on no
    row after it.
    """
    numbers = np.arange(len(values)).reshape(-1, *[1] * (values.ndim - 1))
    rows = np.maximum.accumulate(np.where(np.isnan(values), -1, numbers), axis=0)
    found = np.take_along_axis(values, rows.clip(min=0), axis=0)
    return np.where(rows >= 0, found, before)
