"""Series of numbers over time: from the columns of a file, by the roles that they have."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_export.data.built_in import NAMES, built_in
from model_export.data.checking import Layout, check, places_of
from model_export.data.column_report import ColumnReport, report_columns
from model_export.data.counted import counted
from model_export.data.frame import Frame, ReadOptions
from model_export.data.outliers import Bounds
from model_export.data.precision import refuse_coarse
from model_export.data.read import read_frame
from model_export.data.repairs import MIN_ROWS, Repairs, Run
from model_export.data.roles import Assignment, SeriesRoles, assign
from model_export.data.source import Source
from model_export.data.telling import described, notes_on, reports
from model_export.errors import DataError

__all__ = [
    "MIN_ROWS",
    "Repairs",
    "Series",
    "SeriesRoles",
    "Table",
    "load_series",
    "report_table",
    "series_of",
]


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

    @property
    def names(self) -> tuple[str, ...]:
        """Of the values' columns."""
        return self.targets + self.known + self.inputs


TrainingRows = Callable[[Sequence[Series]], Sequence[int]]
"""How many rows of each series, the first ones, are for training."""


def all_rows(series: Sequence[Series]) -> Sequence[int]:
    """Of series that are not divided."""
    return [len(one.lines) for one in series]


def load_series(
    data: str,
    options: ReadOptions | None = None,
    roles: SeriesRoles | None = None,
    repairs: Repairs | None = None,
    training: TrainingRows = all_rows,
) -> Table:
    """The file `data`, or a built-in record (`built_in.NAMES`), read and checked.

    Only the rows for `training` say what is far from all others. Raises DataError where the file or
    its series cannot be used as they are.
    """
    frame = built_in(data) if data in NAMES else read_frame(data, options)
    return series_of(frame, roles or SeriesRoles(), repairs or Repairs(), training)


def series_of(
    frame: Frame, roles: SeriesRoles, repairs: Repairs, training: TrainingRows = all_rows
) -> Table:
    """Raises DataError for what `repairs` refuses, with the line and the option that helps."""
    given = assign(frame, roles)

    def bounds_of(runs: list[Run]) -> list[Bounds]:
        every = list(range(len(given.used)))
        ends = training([_series(run, every, given) for run in runs])
        return [Bounds.of(run.values[:end]) for run, end in zip(runs, ends, strict=True)]

    layout = Layout(given.clock, given.series, given.used)
    checked = check(frame, layout, repairs, bounds_of)
    constant = checked.constant
    if constant >= {column.name for column in given.targets}:
        raise DataError(f"{frame.origin}: --constant drop leaves no target")
    names = {at: column.name for at, column in enumerate(given.targets)}
    refuse_coarse(checked.runs, names, places_of(frame, layout))
    kept = [at for at, column in enumerate(given.used) if column.name not in constant]
    targets, known, inputs = (
        tuple(c.name for c in columns if c.name not in constant) for columns in given.groups
    )
    return Table(
        targets,
        known,
        inputs,
        series=tuple(_series(run, kept, given) for run in checked.runs),
        columns=tuple(reports(frame, given, checked)),
        source=described(frame.source, checked.changes),
        step=checked.step.label if checked.step else None,
        notes=(*frame.notes, *notes_on(given.time, given.clock, checked)),
    )


def report_table(table: Table) -> str:
    """What becomes of every column, and what was found, in at most 100 columns of plain text."""
    lengths = [len(series.lines) for series in table.series]
    span = " to ".join(dict.fromkeys(map(str, (min(lengths), max(lengths)))))
    rows = (
        counted(lengths[0], "row") if len(lengths) == 1 else f"{len(lengths)} series of {span} rows"
    )
    step = f", {table.step} apart" if table.step else ""
    title = f"{table.source.description}: {rows}{step}"
    return "\n".join([title, "", report_columns(table.columns, table.notes)])


def _series(run: Run, kept: list[int], given: Assignment) -> Series:
    times = given.clock.times(run.ticks) if given.clock else None
    return Series(run.name, run.values[:, kept], times, run.lines)
