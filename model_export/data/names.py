"""Cells that name something: a series, a session, an item, a label."""

from collections.abc import Iterator

import polars as pl

from model_export.data.column_types import without_missing
from model_export.data.frame import Column, Frame
from model_export.errors import DataError

_PADDED = r"^[-+\u2212]?0\d"
_MOST_EXACT = 2.0**53


def names_of(frame: Frame, column: Column, what: str) -> pl.Series:
    """The names [N] as String; `what` they are the names of is for messages.

    Raises DataError where a cell has none, or a word that stands for a missing value, and where
    one number is written in ways that may be different names: 7 and 007, 1.1 and 1.10.
    """
    _refuse_nameless(frame, column, what)
    _refuse_alike(frame, column, what)
    return merged(column)


def merged(column: Column) -> pl.Series:
    """The cells [N] as String, the same for all cells of one whole number: 7 and 7.0 are "7"."""
    if column.kind not in {"number", "whole number", "true or false"}:
        return column.texts
    text, value = pl.col("text"), pl.col("value")
    one = text.first() if column.kind == "true or false" else value.first().cast(pl.Int64)
    several = (text.n_unique() > 1).over("value") & _exact_and_whole(value)
    names = pl.when(several).then(one.cast(pl.String).over("value")).otherwise(text)
    return _cells(column).select(names.alias(column.name)).to_series()


def notes_on_merged(column: Column, names: pl.Series, what: str) -> Iterator[str]:
    """What `names_of` made one."""
    changed = (names != column.texts).arg_true()
    if len(changed):
        row = int(changed[0])
        yield (
            f"{column.name!r}: numbers written in several ways are one {what}, such as "
            f"{column.texts[row]!r} and {names[row]!r} (such rows: {len(changed)})"
        )


def _cells(column: Column) -> pl.DataFrame:
    return pl.DataFrame({"text": column.texts, "value": column.values.cast(pl.Float64)})


def _exact_and_whole(value: pl.Expr) -> pl.Expr:
    """Larger numbers may differ and yet be one float."""
    return (value == value.floor()) & (value.abs() < _MOST_EXACT)


def _refuse_nameless(frame: Frame, column: Column, what: str) -> None:
    texts = column.texts
    if column.fault and not texts.count():
        raise DataError(column.fault)
    nameless = without_missing(texts).is_null().arg_true()
    if not len(nameless):
        return
    row = int(nameless[0])
    place, count = frame.cell_at(row, column), f"(rows without one: {len(nameless)})"
    if texts[row] is None:
        raise DataError(f"{place}: no {what} {count}; give them one or remove them")
    raise DataError(
        f"{place}: {texts[row]!r} stands for a missing value, so that there is no {what} {count}; "
        "remove such rows, or write another word where it is a name"
    )


def _refuse_alike(frame: Frame, column: Column, what: str) -> None:
    if not column.numeric:
        return
    text, value = pl.col("text"), pl.col("value")
    padded = text.str.contains(_PADDED).any().over("value")
    unclear = (value.abs() < _MOST_EXACT) & (padded | (value != value.floor()))
    other = text != text.first().over("value")
    cells = _cells(column)
    for row in cells.select(other & unclear).to_series().arg_true()[:1]:
        before = int((cells["value"] == cells["value"][row]).arg_true()[0])
        raise DataError(
            f"{frame.cell_at(row, column)}: {cells['text'][row]!r} is the same number as "
            f"{cells['text'][before]!r} in {frame.place} {frame.lines[before]}, and may be another "
            f"{what}; write each {what} in one way"
        )
