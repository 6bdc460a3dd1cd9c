"""A file of rows and columns: every column has one type, every row its line."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from model_export.data.source import Source
from model_export.errors import DataError

Kind = Literal["number", "whole number", "true or false", "time", "text", "empty"]
_MOST_NAMES = 20


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How a CSV file is written; what is None is found from the whole file.

    `delimiter` (or "tab"), `decimal` and `thousands` are one character each. `header` says whether
    the first row holds names. `time_format` is that of `strptime`. Parquet needs none of them.
    """

    delimiter: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    header: bool | None = None
    time_format: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One column of the file, `values` [N] typed by all its cells, null where one is missing.

    number and true or false are Float64, whole number Int64, time Datetime in microseconds (UTC
    where the file names a zone), text String. `cells` [N] are what the file says, null where that
    is nothing. `fault` says what keeps a column of numbers or times from being one; such a column
    has the kind text, and `nearly` is what it would be. `numbers` counts the cells of a text that
    are numbers.
    """

    name: str
    kind: Kind
    values: pl.Series
    cells: pl.Series
    fault: str | None = None
    nearly: Literal["number", "time"] | None = None
    numbers: int = 0

    @property
    def numeric(self) -> bool:
        return self.kind in {"number", "whole number"}

    @property
    def texts(self) -> pl.Series:
        """The cells [N] as String."""
        return self.cells.cast(pl.String)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """All columns of a file in its order, N rows.

    `lines` [N] is where each row begins in the file, from 1; `place` is what messages call it:
    "line" of a text, "row" of Parquet. `notes` say what was found about the file and left out.
    """

    origin: str
    place: Literal["line", "row"]
    columns: tuple[Column, ...]
    lines: NDArray[np.int64]
    source: Source
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """Raises DataError where there is none; the message lists the names."""
        for column in self.columns:
            if column.name == name:
                return column
        raise DataError(f"{self.origin}: no column {name!r}; there are {_listed(self.names)}")

    def role(self, name: str, role: str) -> Column:
        """The column that an option, named like the role, says or would say.

        Raises DataError, also where the column holds what cannot be read at all.
        """
        if name not in self.names:
            raise DataError(
                f"{self.origin}: no column {name!r}; --{role} names it, one of "
                f"{_listed(self.names)}"
            )
        column = self.column(name)
        if column.fault and not column.cells.count():
            raise DataError(column.fault)
        return column

    def at(self, row: int) -> str:
        """The file and line of a row, as messages begin."""
        return f"{self.origin}, {self.place} {self.lines[row]}"

    def cell_at(self, row: int, column: Column) -> str:
        """The file, line and column of a cell, as messages begin."""
        return f"{self.at(row)}, column {column.name!r}"


def _listed(names: tuple[str, ...]) -> str:
    rest = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")
