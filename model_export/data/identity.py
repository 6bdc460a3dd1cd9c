"""A column that tells several series apart and was not named as such."""

from collections.abc import Iterable, Iterator

import numpy as np
import polars as pl

from model_export.data.clock import Clock
from model_export.data.column_report import Role
from model_export.data.counted import counted
from model_export.data.frame import Column, Frame
from model_export.errors import DataError

_SHORTEST_BLOCK = 3
"""Rows for each value, on average, from which values in blocks look like ids."""
_FEW_TIMES = 0.75
"""Different times for each row, below which rows of several series seem to be mixed."""


def refuse_stacked(
    frame: Frame,
    clock: Clock | None,
    roles: dict[str, Role],
    named: Iterable[tuple[str, Role]],
) -> None:
    """Raises DataError where a column without a named role looks like the id of several series.

    Either its values come in blocks, one for each: whole numbers that would be forecast, or any
    column where time goes back between the blocks or nothing tells the time. Or times repeat, and
    never within one value.
    """
    given = {name for name, _ in named}
    free = [column for column in frame.columns if column.name not in given]
    for column in _candidates(free, holes=clock is not None):
        forecast = roles[column.name] == "target" and not column.cells.null_count()
        if _in_blocks(column, clock, forecast=forecast):
            raise DataError(_message(frame, column, "its values come in blocks"))
        if clock is not None and _mixed(column, clock):
            raise DataError(_message(frame, column, "every time comes once for each of its values"))


def refuse_second_key(
    frame: Frame, clock: Clock, series: Column, named: Iterable[tuple[str, Role]]
) -> None:
    """Raises DataError where times of one series repeat, and never within one value of a column
    without a named role: series of two ids."""
    given = {name for name, _ in named}
    for column in _candidates([one for one in frame.columns if one.name not in given]):
        if _mixed(column, clock, series):
            raise DataError(
                f"{frame.origin}: column {column.name!r} ({_some_values(column)}) looks like a "
                f"second part of the id, for every time of a {series.name!r} comes once for each "
                f"of its values; join {series.name!r} and {column.name!r} in one column for "
                f"--series; if it is no id,{_otherwise(column).removeprefix(', or')}"
            )


def _candidates(columns: list[Column], *, holes: bool = False) -> Iterator[Column]:
    """`holes` says that ids may be missing."""
    for column in columns:
        if column.kind in {"whole number", "text"} and (holes or not column.cells.null_count()):
            yield column


def _in_blocks(column: Column, clock: Clock | None, *, forecast: bool) -> bool:
    cells = column.values
    joins = cells.ne_missing(cells.shift()).to_numpy().copy()
    joins[0] = False
    blocks = int(joins.sum()) + 1
    if not 2 <= blocks <= len(cells) / _SHORTEST_BLOCK or cells.n_unique() != blocks:
        return False
    if clock is None:
        return True
    return forecast or bool((np.diff(clock.ticks)[joins[1:]] <= 0).any())


def _mixed(column: Column, clock: Clock, series: Column | None = None) -> bool:
    """Of the rows of each of `series`, or of all."""
    moments = pl.DataFrame({"time": clock.ticks} | ({"series": series.texts} if series else {}))
    if moments.n_unique() > _FEW_TIMES * len(moments):
        return False
    rows = moments.with_columns(column.values.alias("id"))
    return rows["id"].n_unique() <= len(rows) / 2 and not rows.is_duplicated().any()


def _message(frame: Frame, column: Column, sign: str) -> str:
    missing = column.cells.is_null().arg_true()
    holes = (
        f"; rows without one: {len(missing)}, the first in {frame.place} {frame.lines[missing[0]]}"
        if len(missing)
        else ""
    )
    return (
        f"{frame.origin}: column {column.name!r} ({_some_values(column)}) looks like the id of "
        f"several series, for {sign}: --series {column.name}{_otherwise(column)}{holes}"
    )


def _some_values(column: Column) -> str:
    values = column.texts.drop_nulls().unique(maintain_order=True)
    return f"{counted(len(values), 'value')}: {', '.join(map(repr, values.head(3)))}, …"


def _otherwise(column: Column) -> str:
    if column.numeric:
        return ", or name it in --targets, --known or --inputs"
    return ", or take it out of the file"
