"""A column that tells several series apart and was not named as such."""

from collections.abc import Iterable, Iterator

import numpy as np
import polars as pl

from model_export.data.clock import Clock
from model_export.data.column_report import Role
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
    for column in _candidates(free):
        if _in_blocks(column, clock, forecast=roles[column.name] == "target"):
            raise DataError(_message(frame, column, "its values come in blocks"))
        if clock is not None and _mixed(column, clock):
            raise DataError(_message(frame, column, "every time comes once for each of its values"))


def _candidates(columns: list[Column]) -> Iterator[Column]:
    for column in columns:
        if column.kind in {"whole number", "text"} and not column.cells.null_count():
            yield column


def _in_blocks(column: Column, clock: Clock | None, *, forecast: bool) -> bool:
    cells = column.values
    joins = (cells != cells.shift()).fill_null(value=False).to_numpy()
    blocks = int(joins.sum()) + 1
    if not 2 <= blocks <= len(cells) / _SHORTEST_BLOCK or cells.n_unique() != blocks:
        return False
    if clock is None:
        return True
    return forecast or bool((np.diff(clock.ticks)[joins[1:]] <= 0).any())


def _mixed(column: Column, clock: Clock) -> bool:
    rows = pl.DataFrame({"time": clock.ticks, "id": column.values})
    if rows["time"].n_unique() > _FEW_TIMES * len(rows):
        return False
    return rows["id"].n_unique() <= len(rows) / 2 and not rows.is_duplicated().any()


def _message(frame: Frame, column: Column, sign: str) -> str:
    otherwise = (
        ", or name it in --targets, --known or --inputs"
        if column.numeric
        else ", or take it out of the file"
    )
    values = column.texts.unique(maintain_order=True)
    some = ", ".join(map(repr, values.head(3)))
    return (
        f"{frame.origin}: column {column.name!r} ({len(values)} values: {some}, …) looks like the "
        f"id of several series, for {sign}: --series {column.name}{otherwise}"
    )
