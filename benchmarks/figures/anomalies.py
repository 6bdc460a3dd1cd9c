"""Alarms from one-step errors, and how they agree with labelled windows.

The score is that of Lavin and Ahmad (2015, arXiv 1510.03336, §III) before its tail probability:
how far the errors of the last few steps are above those of a long time, in standard deviations.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Window = tuple[int, int]
"""First and last step of a labelled anomaly."""

SHORT = 10
"""Steps whose mean error is looked at."""
LONG = 8000
"""Steps that say what is usual."""
PROBATION = 288
"""Steps at the beginning without a score: nobody knows yet what is usual."""
APART = 72
"""Steps without one after which the next step above the threshold is another alarm."""


def anomaly_scores(errors: Array) -> Array:
    """z [T] of absolute errors [T], 0 in the probation. Causal: z[t] knows errors up to t.

    z = (mean of the last SHORT − μ) / σ, with mean and standard deviation of the last LONG.
    """
    means = _moving_mean(errors, LONG)
    variances = _moving_mean(errors**2, LONG) - means**2
    deviations = np.sqrt(np.maximum(variances, 0))
    above = _moving_mean(errors, SHORT) - means
    scores = np.divide(above, deviations, out=np.zeros_like(errors), where=deviations > 0)
    scores[:PROBATION] = 0
    return scores


def _moving_mean(values: Array, steps: int) -> Array:
    """Of the last `steps` values at each step, of all where there are fewer."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(ends - steps, 0)
    means: Array = (sums[ends] - sums[starts]) / (ends - starts)
    return means


def alarms(scores: Array, threshold: float) -> NDArray[np.int64]:
    """Steps at which an alarm begins."""
    above = np.flatnonzero(scores > threshold)
    return above[np.diff(above, prepend=-APART - 1) > APART]


@dataclass(frozen=True, slots=True)
class Detection:
    """At a threshold: how many steps into each window the score is above it for the first time,
    None where it never is, and the alarms outside of all windows."""

    threshold: float
    flagged_after: tuple[int | None, ...]
    false_alarms: int


def detection(scores: Array, windows: Sequence[Window], threshold: float) -> Detection:
    """An alarm that begins outside of all windows is false."""
    after = tuple(_first(scores[first : last + 1] > threshold) for first, last in windows)
    begun = alarms(scores, threshold)
    inside = np.zeros(len(scores), np.bool_)
    for first, last in windows:
        inside[first : last + 1] = True
    return Detection(threshold, after, int((~inside[begun]).sum()))


def _first(above: NDArray[np.bool_]) -> int | None:
    return int(above.argmax()) if above.any() else None


def all_flagged(scores: Array, windows: Sequence[Window]) -> Detection:
    """At the highest threshold that flags every window."""
    weakest = min(float(scores[first : last + 1].max()) for first, last in windows)
    return detection(scores, windows, np.nextafter(weakest, -np.inf))
