"""A column that orders the rows, as numbers that can be subtracted."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from model_export.data.frame import Column, Frame
from model_export.data.spacing import Ticks
from model_export.errors import DataError

_COMPACT = ("200001", "20000131", "2000013123", "200001312359", "20000131235959")
"""Dates and times without marks between their parts, from the month to the second."""
_COMPACT_YEARS = (1900, 2100)
_REST = "01000000"
"""What completes the month to a second."""
_TIME_OF_DAY = r"^[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?(?:[.,][0-9]+)?\s*(?:[AaPp][Mm])?$"
_DAY = 86_400_000_000
_EPOCHS = ((1e8, 1e10, "seconds"), (1e11, 1e13, "milliseconds"), (1e14, 1e16, "microseconds"))
_MICROSECONDS = {"seconds": 1_000_000, "milliseconds": 1000, "microseconds": 1}
_NANOSECONDS = (10**17, 9 * 10**18)


@dataclass(frozen=True, slots=True)
class Clock:
    """`ticks` [N] are microseconds since 1970 where `dates`, else the column's own numbers.

    `reading` says how whole numbers were understood, where that is not plain.
    """

    ticks: Ticks
    dates: bool
    reading: str | None = None

    def text(self, tick: float) -> str:
        """A tick for people."""
        if not self.dates:
            return str(tick) if isinstance(tick, int) else f"{tick:.15g}"
        moment = str(np.datetime64(int(tick), "us"))
        return moment.removesuffix(".000000").removesuffix("T00:00:00").replace("T", " ")

    def times(self, ticks: Ticks | None) -> NDArray[np.datetime64] | None:
        """Ticks of rows as times, None where they are no dates."""
        if ticks is None or not self.dates:
            return None
        return ticks.astype(np.int64).view("datetime64[us]")


def clock_of(frame: Frame, column: Column) -> Clock:
    """Of a column of times or numbers.

    Whole numbers may be dates (20200131, 202001312359) or count from 1970; others count in their
    own unit. Raises DataError for a column of another kind, a missing cell, and counts from 1970 in
    two units.
    """
    _refuse_unordered(frame, column)
    missing = column.values.is_null().arg_true()
    if len(missing):
        raise DataError(
            f"{frame.cell_at(missing[0], column)}: no time (rows without one: {len(missing)}); "
            "give them one or remove them"
        )
    if column.kind == "time":
        return Clock(column.values.to_physical().to_numpy(), dates=True)
    if column.kind == "number":
        return _nanoseconds(column) or Clock(column.values.to_numpy(), dates=False)
    compact = _compact(frame, column)
    if compact is not None:
        return compact
    _refuse_two_units(frame, column)
    return _counted(column.values)


def refuse_split_time(frame: Frame, clock: Clock, time: Column, others: Iterable[Column]) -> None:
    """Raises DataError where `time` has dates that repeat, and one of `others` times of day."""
    if not clock.dates or (clock.ticks % _DAY).any():
        return
    if len(np.unique(clock.ticks)) == len(clock.ticks):
        return
    for column in others:
        if column.kind == "text" and column.texts.str.contains(_TIME_OF_DAY).all():
            moment = column.texts.drop_nulls()[0]
            raise DataError(
                f"{frame.origin}: {time.name!r} has dates and {column.name!r} times of day; join "
                f"them in one column, {time.texts[0]} {moment}"
            )


def _refuse_unordered(frame: Frame, column: Column) -> None:
    if column.kind in {"time", "number", "whole number"}:
        return
    if column.fault:
        raise DataError(column.fault)
    example = column.texts.drop_nulls()[:1].to_list()
    such = f" such as {example[0]!r}; --time-format reads other forms" if example else ""
    raise DataError(f"{frame.origin}, column {column.name!r}: {column.kind}, not times{such}")


def _nanoseconds(column: Column) -> Clock | None:
    """Since 1970, which a column of float64 does not hold and its cells do."""
    ticks = column.texts.cast(pl.Int64, strict=False)
    low, high = _NANOSECONDS
    if ticks.null_count() or not ticks.is_between(low, high).all():
        return None
    if (ticks % 1000 != 0).any():
        return Clock(ticks.to_numpy(), False, "nanoseconds since 1970")
    return Clock((ticks // 1000).to_numpy(), True, "nanoseconds since 1970")


def _compact(frame: Frame, column: Column) -> Clock | None:
    """Of whole numbers that are the digits of dates. Raises DataError where but a few are not."""
    for form in _COMPACT:
        places = 10 ** (len(form) - 4)
        first, last = (year * places for year in _COMPACT_YEARS)
        if not column.values.is_between(first, last + places - 1).all():
            continue
        digits = column.values.cast(pl.String) + _REST[len(form) - 6 :]
        moments = digits.str.to_datetime("%Y%m%d%H%M%S", strict=False, time_unit="us")
        if 2 * moments.count() <= len(moments) or (moments.null_count() and form == _COMPACT[0]):
            return None  # numbers such as 200013, which a count of rows has too
        for row in moments.is_null().arg_true()[:1]:
            raise DataError(
                f"{frame.cell_at(row, column)}: {column.texts[row]!r} is no time written as "
                f"{form}, and {moments.count()} of {len(moments)} cells are; correct it"
            )
        return Clock(moments.to_physical().to_numpy(), True, f"times written as {form}")
    return None


def _refuse_two_units(frame: Frame, column: Column) -> None:
    """Seconds beside milliseconds, which no order of the rows would show."""
    units = pl.Series([None] * len(column.values), dtype=pl.String)
    for least, most, unit in _EPOCHS:
        inside = column.values.is_between(least, most, closed="left")
        units = units.zip_with(~inside, pl.Series([unit]))
    if units.null_count():
        return
    for row in (units != units[0]).arg_true()[:1]:
        raise DataError(
            f"{frame.cell_at(row, column)}: {column.texts[row]} counts {units[row]} since 1970, "
            f"and {column.texts[0]} in {frame.place} {frame.lines[0]} {units[0]}; write all times "
            "in one unit"
        )


def _counted(values: pl.Series) -> Clock:
    ticks = values.to_numpy()
    low, high = int(ticks.min()), int(ticks.max())
    for least, most, unit in _EPOCHS:
        if least <= low and high < most:
            return Clock(ticks * _MICROSECONDS[unit], True, f"{unit} since 1970")
    return Clock(ticks, dates=False)
