"""One type for each column, by all of its cells."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from model_export.data.frame import Column, Kind, ReadOptions
from model_export.data.numbers import Marks, all_decorated, number_columns
from model_export.data.times import Fault, by_format, parse_times, too_fine

_MISSING = (
    "", "-", "--", ".", "?", "na", "n/a", "#n/a", "#na", "<na>", "nan", "null", "none", "nil", "nat"
)  # fmt: skip
_TRUTH = ({"true": 1.0, "false": 0.0}, {"yes": 1.0, "no": 0.0})
_MOST_EXACT = 2.0**53


@dataclass(frozen=True, slots=True)
class _Typing:
    """How cells are read, and where they stand."""

    marks: Marks
    time_format: str | None
    where: Callable[[int], str]


def typed_columns(
    cells: pl.DataFrame, where: Callable[[int], str], marks: Marks, options: ReadOptions
) -> Iterator[Column]:
    """`cells` are String columns. A column that is a number or time but for the smaller part of its
    cells is text with a fault that names the first of these by `where`, the place of a row.

    "NA", "null", "-" and the like are missing cells among numbers and times, and text among text.
    """
    typing = _Typing(marks, options.time_format, where)
    for column, values in zip(cells.iter_columns(), number_columns(cells, marks), strict=True):
        yield _typed(column, values, typing)


def number_column(name: str, values: pl.Series, cells: pl.Series) -> Column:
    """A column of Float64 `values`, whole numbers where all of them are."""
    every = values.to_numpy()
    known = every[~np.isnan(every)]
    whole = bool(np.all((known == np.floor(known)) & (np.abs(known) < _MOST_EXACT)))
    kind: Kind = "whole number" if whole else "number"
    return Column(name, kind, values.cast(pl.Int64) if whole else values, cells)


def _typed(cells: pl.Series, values: pl.Series, typing: _Typing) -> Column:
    if typing.time_format is not None and (times := _formatted(cells, typing.time_format, typing)):
        return times
    if cells.count() and values.null_count() == cells.null_count():
        return number_column(cells.name, values, cells)
    present = without_missing(cells)
    if not present.count():
        return Column(cells.name, "empty", present, cells)
    if values.null_count() == present.null_count():
        return number_column(cells.name, values, cells)
    if 2 * values.count() > present.count():
        return _fault(cells, "number", _odd_one_out(present, values, typing, "finite number"))
    return (
        _time_column(cells, present, typing)
        or _truth_column(cells, present)
        or _text(cells, present, typing)
    )


def _formatted(cells: pl.Series, time_format: str, typing: _Typing) -> Column | None:
    """A column whose cells all are of the format, even those that are numbers: 2020013123."""
    present = without_missing(cells)
    times = by_format(present, time_format)
    if not times.count() or times.null_count() != present.null_count():
        return None
    if fault := too_fine(present, times):
        return _faulty_times(cells, fault, typing)
    return Column(cells.name, "time", times.alias(cells.name), cells)


def without_missing(cells: pl.Series) -> pl.Series:
    """Cells [N] as String, null where they say that there is no number or time."""
    cell = pl.col("cell")
    named = cell.str.to_lowercase().is_in(_MISSING)
    frame = cells.alias("cell").to_frame()
    return frame.select(pl.when(~named).then(cell)).to_series().alias(cells.name)


def _fault(cells: pl.Series, nearly: Literal["number", "time"], fault: str) -> Column:
    return Column(cells.name, "text", cells, cells, fault, nearly)


def _text(cells: pl.Series, present: pl.Series, typing: _Typing) -> Column:
    """Numbers that all have a sign or a unit do not become text unasked."""
    if not all_decorated(present):
        return Column(cells.name, "text", cells, cells)
    return _fault(cells, "number", _decoration(present, typing))


def _time_column(cells: pl.Series, present: pl.Series, typing: _Typing) -> Column | None:
    times = parse_times(present, typing.time_format)
    if 2 * times.alike <= present.count():
        return None
    if times.fault is not None:
        return _faulty_times(cells, times.fault, typing)
    if times.values.count() < present.count():
        return _fault(cells, "time", _odd_one_out(present, times.values, typing, "time"))
    return Column(cells.name, "time", times.values.alias(cells.name), cells)


def _faulty_times(cells: pl.Series, fault: Fault, typing: _Typing) -> Column:
    place = f"{typing.where(fault.row)}, column {cells.name!r}"
    return _fault(cells, "time", f"{place}: {fault.text}")


def _truth_column(cells: pl.Series, present: pl.Series) -> Column | None:
    words = present.str.to_lowercase()
    for meaning in _TRUTH:
        if words.drop_nulls().is_in(list(meaning)).all():
            values = words.replace_strict(meaning, return_dtype=pl.Float64)
            return Column(cells.name, "true or false", values, cells)
    return None


def _odd_one_out(present: pl.Series, values: pl.Series, typing: _Typing, wanted: str) -> str:
    odd = (present.is_not_null() & values.is_null()).arg_true()
    row = int(odd[0])
    return (
        f"{typing.where(row)}, column {present.name!r}: {present[row]!r} is not a "
        f"{wanted}, and {values.count()} of {present.count()} cells are; correct it or leave it "
        "empty"
    )


def _decoration(present: pl.Series, typing: _Typing) -> str:
    return (
        f"{_first_place(present, typing)}: {present.drop_nulls()[0]!r} is a number with a sign, a "
        "unit or other marks; write plain numbers"
    )


def _first_place(present: pl.Series, typing: _Typing) -> str:
    return f"{typing.where(int(present.is_not_null().arg_true()[0]))}, column {present.name!r}"
