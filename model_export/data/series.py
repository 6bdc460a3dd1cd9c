"""Series of numbers over time: from the columns of a file, by the roles that they have."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model_export.data.column_report import ColumnReport
from model_export.data.frame import Frame, ReadOptions
from model_export.data.source import Source


@dataclass(frozen=True, slots=True)
class SeriesRoles:
    """Names of columns.

    `time` orders the rows; None takes the only column of times, if there is one. `series` tells
    several series of one file apart. `targets` are forecast; None takes all columns of numbers that
    have no other role. `inputs` are measured with the targets and unknown ahead of now; `known` are
    known ahead, such as the calendar or a price.
    """

    time: str | None = None
    series: str | None = None
    targets: tuple[str, ...] | None = None
    inputs: tuple[str, ...] = ()
    known: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Repairs:
    """What is done about each fault; everything that would change or lose data is refused unasked.

    `gaps`: "missing" puts rows of missing values where the regular step left some out, "keep" takes
    the rows as evenly spaced. `missing`: with "last" and "forecast" missing cells stay NaN, and the
    network puts the last value or its own forecast there. `outliers`: "missing" makes them NaN.
    `short`: what becomes of series of fewer than `MIN_ROWS` rows.
    """

    order: Literal["refuse", "sort"] = "refuse"
    duplicates: Literal["refuse", "first", "last", "mean"] = "refuse"
    gaps: Literal["refuse", "missing", "keep"] = "refuse"
    missing: Literal["refuse", "last", "forecast"] = "refuse"
    outliers: Literal["keep", "missing"] = "keep"
    constant: Literal["refuse", "drop"] = "refuse"
    short: Literal["refuse", "drop"] = "refuse"


@dataclass(frozen=True, slots=True)
class Series:
    """One series, oldest first.

    `values` [N, C] float64: targets, then known, then inputs, in the columns' own units, NaN where
    missing. `times` [N] in microseconds, None where the file has none or counts steps. `lines` [N]
    are those of the file, 0 for a row that was put into a gap.
    """

    name: str
    values: NDArray[np.float64]
    times: NDArray[np.datetime64] | None
    lines: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Table:
    """Series with the same columns; `columns` reports on every column of the file.

    `step` is the regular distance in time for people ("1 hour", "1 month"), None where unknown.
    """

    targets: tuple[str, ...]
    known: tuple[str, ...]
    inputs: tuple[str, ...]
    series: tuple[Series, ...]
    columns: tuple[ColumnReport, ...]
    source: Source
    step: str | None
    notes: tuple[str, ...] = ()


def load_series(
    data: str,
    options: ReadOptions | None = None,
    roles: SeriesRoles | None = None,
    repairs: Repairs | None = None,
) -> Table:
    """The file `data`, or a built-in record (`built_in.NAMES`), read and checked.

    Raises DataError where the file or its series cannot be used as they are.
    """
    raise NotImplementedError


def series_of(frame: Frame, roles: SeriesRoles, repairs: Repairs) -> Table:
    """Raises DataError for what `repairs` refuses, with the line and the option that helps."""
    raise NotImplementedError


def report_table(table: Table) -> str:
    """What becomes of every column, and what was found, in at most 100 columns of plain text."""
    raise NotImplementedError
