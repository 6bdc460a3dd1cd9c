"""What is wrong with the rows of a series, and what is done about it: nothing unless asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model_export.data.counted import counted
from model_export.data.spacing import Step, Ticks, off_grid
from model_export.errors import DataError

MIN_ROWS = 4
"""A series of fewer rows shows no step and nothing to learn."""
_MOST_INSERTED = 10
"""Rows put into gaps, for each row of the file."""
_WIDE = 1.5
"""Steps between two rows from which there is a gap."""


@dataclass(frozen=True, slots=True)
class Repairs:
    """What is done about each fault; everything that would change or lose data is refused unasked.

    `gaps`: "missing" puts rows of missing values where the regular step left some out, "keep" takes
    the rows as evenly spaced. `missing`: with "last" and "forecast" missing cells stay NaN, and the
    network puts the last value or its own forecast there. `outliers`: "missing" makes them NaN.
    `short`: what becomes of series of too few rows of different times: fewer than `MIN_ROWS`, or,
    of labelled ones, which alone can be kept, fewer than three.
    """

    order: Literal["refuse", "sort"] = "refuse"
    duplicates: Literal["refuse", "first", "last", "mean"] = "refuse"
    gaps: Literal["refuse", "missing", "keep"] = "refuse"
    missing: Literal["refuse", "last", "forecast"] = "refuse"
    outliers: Literal["keep", "missing"] = "keep"
    constant: Literal["refuse", "drop"] = "refuse"
    short: Literal["refuse", "drop", "keep"] = "refuse"


@dataclass(frozen=True, slots=True)
class Run:
    """The rows of one series while it is checked, as they stand in the file.

    `values` [N, C], `ticks` [N] or None, `lines` [N] of the file (0: put in).
    """

    name: str
    values: NDArray[np.float64]
    ticks: Ticks | None
    lines: NDArray[np.int64]

    def picked(self, rows: NDArray[np.int64]) -> "Run":
        ticks = None if self.ticks is None else self.ticks[rows]
        return Run(self.name, self.values[rows], ticks, self.lines[rows])


@dataclass(frozen=True, slots=True)
class Places:
    """How messages name a line of the file, a time, and a series."""

    origin: str
    place: str
    time: Callable[[float], str]
    several: bool

    def at(self, run: Run, row: int) -> str:
        series = f", series {run.name!r}" if self.several else ""
        return f"{self.origin}, {self.place} {run.lines[row]}{series}"

    def moment(self, run: Run, row: int) -> str:
        assert run.ticks is not None
        return self.time(run.ticks[row].item())


def in_order(run: Run, order: str, places: Places) -> tuple[Run, int]:
    """Rows by time, and how many came before an earlier one; ties stay as they are."""
    if run.ticks is None:
        return run, 0
    back = np.flatnonzero(np.diff(run.ticks) < 0) + 1
    if not len(back):
        return run, 0
    if order == "refuse":
        row = int(back[0])
        raise DataError(
            f"{places.at(run, row)}: {places.moment(run, row)} comes after "
            f"{places.moment(run, row - 1)}; rows that go back in time: {len(back)}; --order sort"
        )
    return run.picked(np.argsort(run.ticks, kind="stable")), len(back)


def without_duplicates(run: Run, duplicates: str, places: Places) -> tuple[Run, int]:
    """One row for each time, and how many others there were; the rows are in order."""
    if run.ticks is None or not len(run.ticks):
        return run, 0
    starts = np.flatnonzero(np.concatenate([[True], np.diff(run.ticks) > 0]))
    surplus = len(run.ticks) - len(starts)
    if not surplus:
        return run, 0
    if duplicates == "refuse":
        row = int(np.flatnonzero(np.diff(run.ticks) == 0)[0]) + 1
        several = "" if places.several else ", or --series if several series are in the file"
        raise DataError(
            f"{places.at(run, row)}: {places.moment(run, row)} again, as in {places.place} "
            f"{run.lines[row - 1]}; {counted(surplus, 'duplicate')}; --duplicates first, last or "
            f"mean{several}"
        )
    if duplicates == "last":
        return run.picked(np.append(starts[1:], len(run.ticks)) - 1), surplus
    first = run.picked(starts)
    values = _means(run.values, starts) if duplicates == "mean" else first.values
    return Run(run.name, values, first.ticks, first.lines), surplus


def _means(values: NDArray[np.float64], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Of the present values of each group, NaN where there is none."""
    present = ~np.isnan(values)
    counts = np.add.reduceat(present, starts, axis=0, dtype=np.int64)
    sums = np.add.reduceat(np.where(present, values, 0.0), starts, axis=0)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def without_gaps(run: Run, step: Step | None, gaps: str, places: Places) -> tuple[Run, int]:
    """Rows one step apart, and how many steps were put in; times rise.

    With `gaps` "keep" the rows as they are, and how many gaps there are between them.
    """
    if run.ticks is None or len(run.ticks) < 2:
        return run, 0
    if gaps == "keep":
        return run, 0 if step is None else int((step.distances(run.ticks) > _WIDE).sum())
    if step is None:
        raise DataError(
            f"{places.at(run, 1)}: no distance in time is that of more than half of the rows; "
            "--gaps keep takes them as evenly spaced"
        )
    distances = step.distances(run.ticks)
    _refuse_off_grid(run, step, distances, places)
    wide = np.flatnonzero(distances > _WIDE)
    if not len(wide):
        return run, 0
    if gaps == "refuse":
        _refuse_gap(run, step, wide, places)
    return _filled_out(run, step, np.rint(distances).astype(np.int64), places)


def _refuse_off_grid(run: Run, step: Step, distances: NDArray[np.float64], places: Places) -> None:
    odd = np.flatnonzero(off_grid(distances))
    if len(odd):
        row = int(odd[0]) + 1
        raise DataError(
            f"{places.at(run, row)}: {places.moment(run, row)} is no whole number of steps "
            f"({step.label}) after {places.moment(run, row - 1)}; {counted(len(odd), 'such row')}; "
            "--gaps keep takes the rows as evenly spaced"
        )


def _refuse_gap(run: Run, step: Step, wide: NDArray[np.int64], places: Places) -> None:
    row = int(wide[0]) + 1
    raise DataError(
        f"{places.at(run, row)}: {places.moment(run, row)} follows "
        f"{places.moment(run, row - 1)}, and the step is {step.label}; {counted(len(wide), 'gap')}"
        "; --gaps missing puts rows of missing values there, --gaps keep takes the rows as evenly "
        "spaced"
    )


def _filled_out(
    run: Run, step: Step, distances: NDArray[np.int64], places: Places
) -> tuple[Run, int]:
    position = np.concatenate([[0], np.cumsum(distances)])
    total = int(position[-1]) + 1
    if total > _MOST_INSERTED * len(position):
        row = int(np.argmax(distances)) + 1
        raise DataError(
            f"{places.at(run, row)}: --gaps missing would make {total} rows of {len(position)}, "
            f"{int(distances[row - 1]) - 1} of them here; is the time right?"
        )
    values = np.full((total, run.values.shape[1]), np.nan)
    values[position] = run.values
    lines = np.zeros(total, np.int64)
    lines[position] = run.lines
    ticks = None if run.ticks is None else step.between(run.ticks, position)
    return Run(run.name, values, ticks, lines), total - len(position)
