"""Columns of numbers over time."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from statsmodels.datasets import co2

from model_export.data.source import Source, decode, digest, read_bytes
from model_export.errors import DataError

CO2 = "co2"
Fill = Literal["interpolate"]
_MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})


@dataclass(frozen=True, slots=True)
class Table:
    """`values` [N, C] float64 in the columns' own units, oldest first, all finite.

    `observed` [N, C] is False where a missing value was filled in.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    observed: NDArray[np.bool_]
    source: Source


def load_table(data: str, columns: tuple[str, ...] | None, fill: Fill | None) -> Table:
    """The CSV file `data` (one header line), or the weekly CO₂ record for "co2".

    Without `columns`, every column whose first value is a number. Raises DataError for an
    unreadable file, an unknown column, a cell that is no finite number, or, without `fill`, a
    missing value; the message names the line.
    """
    if data == CO2:
        return _co2()
    content = read_bytes(Path(data))
    header, rows = _rows(decode(content, data), data)
    names = columns or _numeric_columns(header, rows[0][1])
    positions = [_position(name, header) for name in names]
    if not names:
        raise DataError(f"{data} has no column of numbers")
    values = np.array(
        [[_number(data, line, row, header, at) for at in positions] for line, row in rows]
    )
    if fill is None:
        _refuse_missing(values, [line for line, _ in rows], names, data)
    return _filled(names, values, Path(data).name, digest(content))


def _rows(text: str, data: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    reader = csv.reader(text.splitlines())
    header = [name.strip() for name in next(reader, [])]
    rows = [(reader.line_num, row) for row in reader if row]
    if not rows:
        raise DataError(f"{data} has no rows below its header")
    for line, row in rows:
        if len(row) != len(header):
            raise DataError(f"{data}, line {line}: {len(row)} cells, the header has {len(header)}")
    return header, rows


def _position(name: str, header: list[str]) -> int:
    if name not in header:
        raise DataError(f"no column {name!r}; there are {', '.join(header)}")
    return header.index(name)


def _numeric_columns(header: list[str], first: list[str]) -> tuple[str, ...]:
    def is_number(cell: str) -> bool:
        try:
            float(cell)
        except ValueError:
            return False
        return True

    return tuple(name for name, cell in zip(header, first, strict=True) if is_number(cell))


def _number(data: str, line: int, row: list[str], header: list[str], position: int) -> float:
    cell = row[position].strip()
    if cell.lower() in _MISSING:
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        value = math.inf
    if math.isinf(value):
        where = f"{data}, line {line}, column {header[position]!r}"
        raise DataError(f"{where}: {cell!r} is not a finite number")
    return value


def _refuse_missing(
    values: NDArray[np.float64], lines: list[int], names: Sequence[str], data: str
) -> None:
    missing = np.argwhere(np.isnan(values))
    if len(missing):
        row, column = missing[0]
        raise DataError(
            f"{data}, line {lines[row]}, column {names[column]!r}: missing value "
            f"({len(missing)} in all); --fill interpolate draws a line through the gaps"
        )


def _filled(
    names: tuple[str, ...], values: NDArray[np.float64], description: str, sha256: str
) -> Table:
    """Gaps become straight lines between their neighbours, or the nearest value at the ends."""
    observed = ~np.isnan(values)
    for name, column, known in zip(names, values.T, observed.T, strict=True):
        if not known.any():
            raise DataError(f"column {name!r} holds no value")
        column[~known] = np.interp(np.flatnonzero(~known), np.flatnonzero(known), column[known])
    gaps = int((~observed).sum())
    if gaps:
        description += f", {gaps} missing values interpolated linearly"
    return Table(names, values, observed, Source(description, sha256))


def _co2() -> Table:
    values = co2.load_pandas().data["co2"].to_numpy(np.float64, copy=True)[:, None]
    description = "statsmodels.datasets.co2, weekly CO2 at Mauna Loa 1958-2001"
    return _filled(("co2",), values, description, digest(values.tobytes()))
