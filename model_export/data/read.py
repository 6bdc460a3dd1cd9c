"""A file becomes a frame, whatever it is."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from polars import selectors as cs

from model_export.data.column_types import number_column, typed_columns, without_missing
from model_export.data.delimited import read_rows, stripped
from model_export.data.frame import Column, Frame, ReadOptions
from model_export.data.numbers import find_marks
from model_export.data.source import ENCODED, Source, decode, digest, read_bytes
from model_export.data.stray_lines import refuse_stray
from model_export.data.times import TOO_FINE, by_format
from model_export.errors import DataError, one_line

_PARQUET = b"PAR1"
_OTHERS = ENCODED | {
    b"PK\x03\x04": "an Excel workbook or a ZIP archive: save the sheet as CSV (UTF-8)",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook: save the sheet as CSV (UTF-8)",
    b"ARROW1": "an Arrow file: save it as Parquet",
    b"{": "JSON: save it as CSV or Parquet",
    b"[": "JSON: save it as CSV or Parquet",
    b"<": "HTML or XML: save it as CSV",
}


def read_frame(path: str, options: ReadOptions | None = None) -> Frame:
    """A CSV file in any usual dialect, or Parquet (told by its first bytes).

    Raises DataError, with file, line, column, cell and the option that helps, for what is not
    UTF-8, ragged, without a header, with two columns of one name, or ambiguous.
    """
    content = read_bytes(Path(path))
    source = Source(Path(path).name, digest(content))
    if content.startswith(_PARQUET):
        return _parquet(content, path, source, options or ReadOptions())
    for start, what in _OTHERS.items():
        if content.startswith(start):
            raise DataError(f"{path} is {what}")
    if b"\x00" in content:
        raise DataError(f"{path} is not text: a zero byte at offset {content.index(0)}")
    return _delimited(decode(content, path), path, source, options or ReadOptions())


def _delimited(text: str, path: str, source: Source, options: ReadOptions) -> Frame:
    rows = read_rows(text, path, options)

    def where(row: int) -> str:
        return f"{path}, line {rows.lines[row]}"

    refuse_stray(rows.cells, where)
    _refuse_idle_format(path, rows.cells, where, options)
    marks = find_marks(rows.cells, rows.delimiter, where, options)
    columns = tuple(typed_columns(rows.cells, where, marks, options))
    return Frame(path, "line", columns, rows.lines, source, rows.notes)


def _refuse_idle_format(
    path: str, cells: pl.DataFrame, where: Callable[[int], str], options: ReadOptions
) -> None:
    """A format that fits no whole column would leave the order of the rows unknown."""
    if options.time_format is None:
        return
    said = f"--time-format {options.time_format!r}"
    columns = [without_missing(column) for column in cells.iter_columns()]
    times = [by_format(column, options.time_format) for column in columns]
    counts = [column.count() for column in times]
    if not any(counts):
        raise DataError(f"{path}: {said} fits no cell")
    if any(n and n == column.count() for n, column in zip(counts, columns, strict=True)):
        return
    best = counts.index(max(counts))
    row = (columns[best].is_not_null() & times[best].is_null()).arg_true()[0]
    raise DataError(
        f"{where(row)}, column {columns[best].name!r}: {columns[best][row]!r} is not written as "
        f"{said} says, and {counts[best]} of {columns[best].count()} cells are"
    )


def _parquet(content: bytes, path: str, source: Source, options: ReadOptions) -> Frame:
    try:
        table = pl.read_parquet(io.BytesIO(content))
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{path} cannot be read as Parquet: {one_line(error)}") from error
    if not len(table):
        raise DataError(f"{path} has no rows")
    lines = np.arange(1, len(table) + 1)
    texts = _texts(table)

    def where(row: int) -> str:
        return f"{path}, row {row + 1}"

    _refuse_idle_format(path, texts, where, options)
    marks = find_marks(texts, ",", where, options)
    typed = {column.name: column for column in typed_columns(texts, where, marks, options)}
    columns = tuple(typed.get(c.name) or _typed(c, path) for c in table.iter_columns())
    return Frame(path, "row", columns, lines, source)


def _texts(table: pl.DataFrame) -> pl.DataFrame:
    """Columns of text as a CSV file has them, for many write numbers and times as text."""
    texts = table.select(cs.string() | cs.categorical() | cs.enum())
    return stripped(texts.select(pl.all().cast(pl.String)))


def _typed(column: pl.Series, path: str) -> Column:
    if column.null_count() == len(column):
        return Column(column.name, "empty", column, column)
    if column.dtype == pl.Boolean:
        return Column(column.name, "true or false", column.cast(pl.Float64), column)
    if column.dtype.is_numeric():
        return _numbers(column, path)
    if isinstance(column.dtype, pl.Date | pl.Datetime):
        return _times(column, path)
    fault = (
        f"{path}, column {column.name!r} holds {column.dtype}: neither numbers nor times nor text"
    )
    nothing = pl.Series(column.name, [None] * len(column), pl.String)
    return Column(column.name, "text", nothing, nothing, fault)


def _numbers(column: pl.Series, path: str) -> Column:
    values = column.cast(pl.Float64).fill_nan(None)
    infinite = values.is_infinite().arg_true()
    if not len(infinite):
        return number_column(column.name, values, column)
    row = infinite[0]
    fault = f"{path}, row {row + 1}, column {column.name!r}: {values[row]} is not a finite number"
    return Column(column.name, "text", column.cast(pl.String), column, fault, "number")


def _times(column: pl.Series, path: str) -> Column:
    times = _in_utc(column)
    if times.n_unique() == column.n_unique():
        return Column(column.name, "time", times, column)
    rows = pl.DataFrame({"kept": times, "given": column})
    first = rows.select(pl.col("given").first().over("kept")).to_series()
    row = (column != first).arg_true()[0]
    texts = column.cast(pl.String)
    fault = f"{path}, row {row + 1}, column {column.name!r}: {texts[row]} {TOO_FINE}"
    return Column(column.name, "text", texts, column, fault, "time")


def _in_utc(times: pl.Series) -> pl.Series:
    if isinstance(times.dtype, pl.Datetime) and times.dtype.time_zone:
        times = times.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return times.cast(pl.Datetime("us"))
