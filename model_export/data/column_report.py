"""What becomes of every column of a file, told before training."""

import math
from dataclasses import dataclass
from textwrap import wrap
from typing import Literal

import numpy as np
import polars as pl

from model_export.data.frame import Column
from model_export.data.names import merged

Role = Literal["target", "known", "input", "time", "series", "session", "item", "label", "left out"]

WIDTH = 100
_NAMES = frozenset({"series", "session", "item", "label"})
"""Roles whose numbers are names, and have no range."""
_MOST = {"name": 20, "range": 35}
TO_THE_MINUTE = 16
_NARROW = 30
_FEWEST_DIGITS, _MOST_DIGITS = 6, 15
_HEADINGS = ("column", "role", "type", "range", "missing", "done, and why")


@dataclass(frozen=True, slots=True)
class ColumnReport:
    """`low` and `high` are the range as text, None where a column has none.

    `missing` counts cells. `done` says what was changed or left out, `why` for what reason.
    """

    name: str
    role: Role
    type: str
    low: str | None
    high: str | None
    missing: int
    done: str
    why: str


def report_of(column: Column, role: Role, *, done: str, why: str) -> ColumnReport:
    """`role`, `done` and `why` with what the cells themselves say."""
    low, high = _range(column) if role not in _NAMES else (None, _different(merged(column)))
    missing = column.values.null_count()
    return ColumnReport(column.name, role, column.kind, low, high, missing, done, why)


def _range(column: Column) -> tuple[str | None, str | None]:
    values = column.values.drop_nulls()
    if not len(values):
        return None, None
    if column.kind == "text":
        return None, _different(values)
    if column.kind == "time":
        ticks = values.to_physical().to_numpy()
        return _moment(ticks.min()), _moment(ticks.max())
    numbers = values.to_numpy()
    low, high = float(numbers.min()), float(numbers.max())
    digits = _digits(low, high)
    return f"{low:.{digits}g}", f"{high:.{digits}g}"


def _digits(low: float, high: float) -> int:
    """As many as show three of what lies between the two."""
    if not high > low:
        return _FEWEST_DIGITS
    before = math.ceil(math.log10(max(abs(low), abs(high)) / (high - low)))
    return min(max(before + 3, _FEWEST_DIGITS), _MOST_DIGITS)


def _different(values: pl.Series) -> str:
    return f"{values.drop_nulls().n_unique()} different"


def _moment(tick: int) -> str:
    return str(np.datetime64(int(tick), "us"))[:TO_THE_MINUTE].replace("T", " ")


def report_columns(columns: tuple[ColumnReport, ...], notes: tuple[str, ...] = ()) -> str:
    """An aligned table of plain text, at most 100 columns wide, notes below it."""
    rows = [_HEADINGS, *map(_cells, columns)]
    widths = [max(len(row[at]) for row in rows) for at in range(5)]
    lines = [line for row in rows for line in _lines(row, widths)]
    for note in notes:
        lines += note_lines(note)
    return "\n".join(lines)


def note_lines(note: str) -> list[str]:
    """At most 100 columns wide, as below a table."""
    return wrap(note, WIDTH, initial_indent="- ", subsequent_indent="  ")


def _cells(column: ColumnReport) -> tuple[str, ...]:
    between = " … ".join(text for text in (column.low, column.high) if text is not None)
    told = ": ".join(text for text in (column.done, column.why) if text and text != column.role)
    name, span = _cut(column.name, _MOST["name"]), _cut(between, _MOST["range"])
    return name, column.role, column.type, span, str(column.missing), told


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _lines(row: tuple[str, ...], widths: list[int]) -> list[str]:
    """The last cell goes on below itself, or below the whole row where little room is left."""
    cells = [cell.ljust(width) for cell, width in zip(row[:4], widths[:4], strict=True)]
    start = "  ".join([*cells, row[4].rjust(widths[4])]) + "  "
    if WIDTH - len(start) < _NARROW:
        return [
            start.rstrip(),
            *wrap(row[5], WIDTH, initial_indent="    ", subsequent_indent="    "),
        ]
    told = wrap(row[5], WIDTH - len(start)) or [""]
    return [(start + told[0]).rstrip(), *(" " * len(start) + more for more in told[1:])]
