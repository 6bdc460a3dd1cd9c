"""The regular step of times, and where it is left."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_export.data.counted import counted

_UNITS = (
    ("week", 604_800_000_000),
    ("day", 86_400_000_000),
    ("hour", 3_600_000_000),
    ("minute", 60_000_000),
    ("second", 1_000_000),
    ("millisecond", 1_000),
    ("microsecond", 1),
)
_ON_GRID = 1e-4
"""How far from a whole number of steps, in steps, counts as rounding."""

Ticks = NDArray[Any]
"""Times [N] as numbers: int64 microseconds since 1970, or the file's own count (int64, float64)."""


@dataclass(frozen=True, slots=True)
class Step:
    """`size` in microseconds, in months, or in the file's own count."""

    size: float
    label: str
    months: bool = False

    def distances(self, ticks: Ticks) -> NDArray[np.float64]:
        """How many steps lie between neighbours, [N - 1]."""
        distances: NDArray[np.float64] = (
            np.diff(months_of(ticks) if self.months else ticks) / self.size
        )
        return distances

    def between(self, ticks: Ticks, position: NDArray[np.int64]) -> Ticks:
        """Ticks of all steps from the first to the last, where row i is step `position[i]`."""
        steps = np.arange(position[-1] + 1)
        if self.months:
            return _month_ticks(ticks, steps * int(self.size))
        filled: Ticks = ticks[0] + (steps * self.size).astype(ticks.dtype)
        filled[position] = ticks
        return filled


def off_grid(distances: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which distances are no whole number of steps."""
    return np.abs(distances - np.rint(distances)) > _ON_GRID


def find_step(series: list[Ticks], *, dates: bool) -> Step | None:
    """The distance that more than half of all neighbours have; None where there is none.

    `dates` says that ticks are microseconds. Then months of the same day and hour, or the last days
    of months, are one step apart however long they are. Ticks rise.
    """
    calendar = dates and _by_calendar(series)
    gaps = np.concatenate([np.diff(months_of(t) if calendar else t) for t in series])
    size = _most_frequent(gaps)
    if size is None:
        return None
    if calendar:
        return Step(size, _months_label(int(size)), months=True)
    return Step(size, _duration_label(int(size)) if dates else f"{size:.10g}")


def months_of(ticks: Ticks) -> NDArray[np.int64]:
    """Months since January 1970."""
    return _dates(ticks).astype("datetime64[M]").astype(np.int64)


def _dates(ticks: Ticks) -> NDArray[np.datetime64]:
    return ticks.astype(np.int64).view("datetime64[us]")


def _month_ticks(ticks: Ticks, months: NDArray[np.int64]) -> NDArray[np.int64]:
    """At the place in its month where the first tick is: as far from its start, or its end."""
    first = _dates(ticks)[:1]
    month = first.astype("datetime64[M]")
    from_start, from_end = _places(_dates(ticks))
    if len(np.unique(from_start)) == 1:
        moments = (month + months).astype("datetime64[us]") + from_start[0]
    else:
        moments = (month + months + 1).astype("datetime64[us]") - from_end[0]
    filled: NDArray[np.int64] = moments.astype(np.int64)
    return filled


def _places(dates: NDArray[np.datetime64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Microseconds since the start of the month, and until the next one."""
    starts = dates.astype("datetime64[M]")
    until = (starts + 1).astype("datetime64[us]") - dates
    return (dates - starts).astype(np.int64), until.astype(np.int64)


def _by_calendar(series: list[Ticks]) -> bool:
    """Whether every row lies at the same place of a month of its own, which is no other step."""
    from_start, from_end = _places(_dates(np.concatenate(series)))
    same_place = len(np.unique(from_start)) == 1 or len(np.unique(from_end)) == 1
    return same_place and all(bool(np.all(np.diff(months_of(t)) > 0)) for t in series)


def _most_frequent(gaps: NDArray[Any]) -> float | None:
    if not len(gaps):
        return None
    rounded = gaps if gaps.dtype == np.int64 else _to_nine_digits(gaps)
    sizes, counts = np.unique(rounded, return_counts=True)
    best = int(np.argmax(counts))
    return float(sizes[best]) if 2 * counts[best] > len(gaps) and sizes[best] > 0 else None


def _to_nine_digits(gaps: NDArray[np.float64]) -> NDArray[np.float64]:
    """So that 0.3 - 0.2 and 0.2 - 0.1 are the same."""
    scale = 10.0 ** (8 - np.floor(np.log10(max(float(np.max(np.abs(gaps))), 1e-300))))
    rounded: NDArray[np.float64] = np.round(gaps * scale) / scale
    return rounded


def _months_label(months: int) -> str:
    return counted(months // 12, "year") if months % 12 == 0 else counted(months, "month")


def _duration_label(size: int) -> str:
    for name, unit in _UNITS:
        if size % unit == 0:
            return counted(size // unit, name)
    return f"{size} microseconds"
