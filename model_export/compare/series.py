"""A real series, one step ahead: the weekly CO₂ record of Mauna Loa."""

import math
from collections.abc import Mapping
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model_export.baselines.windows import last_observed
from model_export.compare.problem import Batch, Part, Traits, refuse_length
from model_export.data.built_in import built_in

SEASON = 52
"""Weeks."""

_TRAINING, _VALIDATION = 0.7, 0.85


class Series:
    """Weekly changes in, the next weekly change out; `length` is how far training looks back.

    Training sees windows of `length` weeks and counts the answers of their second half. Held-out
    parts are answered by one run over all weeks before and in them. A missing week repeats the
    last value, and is never counted as an answer. Changes are divided by their standard deviation
    in the training part; errors are in ppm.
    """

    def __init__(self, length: int) -> None:
        known = weekly_co2()
        longest = int((len(known) - 1) * _TRAINING) - 1
        refuse_length("co2", length, 2, longest)
        self._observed = torch.from_numpy(~np.isnan(known[1:]))
        values = last_observed(known, known[0])
        self._changes = torch.from_numpy(np.diff(values)).float()
        total = len(self._changes)
        self._ends = (int(total * _TRAINING), int(total * _VALIDATION))
        self._scale = self._changes[: self._ends[0]].std().item()
        self.traits = Traits(
            name="co2",
            length=length,
            input_size=1,
            output_size=1,
            error_name="root mean squared error in ppm",
            solved_below=None,
            baselines=baseline_errors(known, 1 + self._ends[1]),
        )

    @property
    def changes(self) -> Tensor:
        """[N] ppm, from each week to the next; change k leads to week k + 1."""
        return self._changes

    def span(self, part: Part) -> tuple[int, int]:
        """First and last, exclusive, of the changes that a held-out part answers."""
        if part == "validation":
            return self._ends
        return self._ends[1], len(self._changes)

    def batch(self, size: int, generator: torch.Generator) -> Batch:
        length, train = self.traits.length, self._ends[0]
        starts = torch.randint(train - length, (1, size), generator=generator)
        weeks = starts + torch.arange(length)[:, None]
        targets = self._targets()[weeks + 1]
        return Batch(self._inputs()[weeks], targets[length // 2 :])

    def held_out(self, part: Part) -> Batch:
        start, end = self.span(part)
        return Batch(self._inputs()[: end - 1, None], self._targets()[start:end, None])

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        known = ~targets.isnan()
        return (outputs.squeeze(-1) - targets.nan_to_num()).square() * known

    def error(self, outputs: Tensor, targets: Tensor) -> float:
        known = ~targets.isnan()
        squares = (outputs.squeeze(-1) - targets)[known].square()
        return self._scale * math.sqrt(squares.mean().item())

    def _inputs(self) -> Tensor:
        return (self._changes / self._scale).unsqueeze(-1)

    def _targets(self) -> Tensor:
        return (self._changes / self._scale).where(self._observed, math.nan)


@cache
def weekly_co2() -> NDArray[np.float64]:
    """[N] ppm at Mauna Loa, a Saturday each from March 1958 to December 2001; NaN where missing."""
    values: NDArray[np.float64] = built_in("co2").column("co2").values.to_numpy()
    return values


def baseline_errors(values: NDArray[np.float64], start: int) -> Mapping[str, float]:
    """Root mean squared errors over the known values from `start` on, in their own unit."""
    past = last_observed(values, values[0])
    weeks = np.arange(start, len(values))
    weeks = weeks[~np.isnan(values[weeks])]
    last = past[weeks - 1]
    last_year = past[weeks - SEASON] - past[weeks - SEASON - 1]
    answers = {"the last value": last, "the last value and last year's change": last + last_year}
    return {
        name: math.sqrt(np.square(values[weeks] - answer).mean())
        for name, answer in answers.items()
    }
