"""Series divided in time, as arrays that a network runs over."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model_export.baselines.windows import SplitSeries
from model_export.data.series import Series, Table
from model_export.data.source import Split
from model_export.recipes.recipe import Shares
from model_export.tasks.split import parts_of, split_of


def divided(table: Table, shares: Shares) -> tuple[SplitSeries, ...]:
    """Every series with its parts. Raises RecipeError."""
    return tuple(
        SplitSeries(one.values[: split.total], split)
        for one, split in zip(table.series, splits_of(table.series, shares), strict=True)
    )


def splits_of(series: Sequence[Series], shares: Shares) -> list[Split]:
    """Where the parts of each series end.

    Several series with times are all cut at the same two times, so that no series is learnt from
    when another is already tested; otherwise each is cut by its own rows. Raises RecipeError.
    """
    if len(series) > 1 and max(shares) <= 1 and all(one.times is not None for one in series):
        return _at_common_times(series, shares)
    # Of several series one may have no rows in a part.
    parts = split_of if len(series) == 1 else parts_of
    return [parts(len(one.values), shares, "rows") for one in series]


def _at_common_times(series: Sequence[Series], shares: Shares) -> list[Split]:
    times = np.sort(np.concatenate([one.times for one in series if one.times is not None]))
    whole = split_of(len(times), shares, "rows")
    cuts = [times[min(end, len(times) - 1)] for end in (whole.train, whole.validation)]
    last = times[whole.total - 1]
    found = []
    for one in series:
        assert one.times is not None
        train, validation = (int(np.searchsorted(one.times, cut)) for cut in cuts)
        found.append(Split(train, validation, int(np.searchsorted(one.times, last, "right"))))
    return found


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of every series, [B, T, F]; shorter ones are padded at their end.

    `first` is the row of each series that its inputs begin with.
    """

    inputs: Tensor
    first: tuple[int, ...]

    @classmethod
    def of(
        cls, values: list[NDArray[np.float64]], spans: list[tuple[int, int]], before: int
    ) -> "Part":
        """Rows [start, end) of each series, and up to `before` ahead of them, from which a network
        gets its state."""
        first = tuple(max(0, start - before) for start, _ in spans)
        rows = [one[begin:end] for one, begin, (_, end) in zip(values, first, spans, strict=True)]
        longest = max(map(len, rows))
        padded = np.zeros((len(rows), longest, values[0].shape[1]), np.float32)
        for index, one in enumerate(rows):
            padded[index, : len(one)] = one
        return cls(torch.from_numpy(padded), first)
