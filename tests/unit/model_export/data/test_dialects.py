"""Numbers written in a dialect drawn at random are read back as they were."""

import csv
import io
import time
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from model_export.data.delimited import read_rows
from model_export.data.frame import ReadOptions
from model_export.data.numbers import Marks
from model_export.data.read import read_frame
from model_export.data.series import load_series
from model_export.errors import DataError

MARKS = [
    Marks(decimal, thousands)
    for decimal, thousands in product(".,", (None, ".", ",", " ", "'"))
    if decimal != thousands
]
NUMBERS = st.floats(-1e9, 1e9, allow_nan=False).map(lambda value: round(value, 4))
SETTINGS = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


def written(number: float, marks: Marks) -> str:
    text = f"{number:,.4f}" if marks.thousands else f"{number:.4f}"
    names = {",": marks.thousands or "", ".": marks.decimal}
    return "".join(names.get(character, character) for character in text)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[list[float]], Marks, str, str, bool]:
    width = draw(st.integers(1, 4))
    row = st.lists(NUMBERS, min_size=width, max_size=width)
    rows = draw(st.lists(row, min_size=1, max_size=12))
    ends = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    marks, delimiter = draw(st.sampled_from(MARKS)), draw(st.sampled_from(",;\t|"))
    return rows, marks, delimiter, ends, draw(st.booleans())


def csv_text(rows: list[list[str]], delimiter: str, ends: str, *, quoted: bool) -> str:
    out = io.StringIO()
    csv.writer(
        out,
        delimiter=delimiter,
        lineterminator=ends,
        quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL,
    ).writerows(rows)
    return out.getvalue()


@given(tables())
@SETTINGS
def test_numbers_come_back_where_the_marks_are_named(
    tmp_path: Path, table: tuple[list[list[float]], Marks, str, str, bool]
) -> None:
    rows, marks, delimiter, ends, quoted = table
    names = [f"x{at}" for at in range(len(rows[0]))]
    cells = [[written(number, marks) for number in row] for row in rows]
    path = tmp_path / "table.csv"
    path.write_bytes(csv_text([names, *cells], delimiter, ends, quoted=quoted).encode())
    options = ReadOptions(delimiter, marks.decimal, marks.thousands)
    frame = read_frame(str(path), options)
    read = np.column_stack([column.values.to_numpy() for column in frame.columns])
    np.testing.assert_array_equal(read, rows)


@given(tables())
@SETTINGS
def test_numbers_come_back_where_nothing_is_named(
    tmp_path: Path, table: tuple[list[list[float]], Marks, str, str, bool]
) -> None:
    """Four decimals never look like thousands; only a column of its own may be cut by spaces."""
    rows, marks, delimiter, ends, quoted = table
    names = [f"x{at}" for at in range(len(rows[0]))]
    cells = [[written(number, marks) for number in row] for row in rows]
    path = tmp_path / "table.csv"
    path.write_bytes(csv_text([names, *cells], delimiter, ends, quoted=quoted).encode())
    assume(len(names) > 1 or marks.thousands != " ")
    read = np.column_stack([c.values.to_numpy() for c in read_frame(str(path)).columns])
    np.testing.assert_array_equal(read, rows)


CELLS = st.text(st.sampled_from("ab1#. -"), max_size=3).map(str.strip)


@given(st.lists(st.lists(CELLS, min_size=1, max_size=3), min_size=1, max_size=8), st.integers(1, 3))
@SETTINGS
def test_a_text_is_read_alike_with_and_without_quotes_in_it(
    rows: list[list[str]], width: int
) -> None:
    """The fast way of reading is taken where there is no quote: one in the header rules it out."""
    body = "".join(";".join(row) + "\n" for row in rows)
    names = [f"n{at}" for at in range(width)]
    results: list[object] = []
    for header in (";".join(names), ";".join(f'"{name}"' for name in names)):
        try:
            read = read_rows(f"{header}\n{body}", "f", ReadOptions(delimiter=";"))
            results.append((read.cells.rows(), read.lines.tolist(), read.notes))
        except DataError as refused:
            results.append(str(refused))
    assert results[0] == results[1]


def test_the_delimiter_is_found_in_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("time;temp, C\n" + "01.01.2020;1,5\n" * 50 + "02.01.2020;2\n")
    frame = read_frame(str(path))
    assert frame.names == ("time", "temp, C")
    assert [column.kind for column in frame.columns] == ["time", "number"]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    values = np.random.default_rng(0).normal(size=(200_000, 9)).round(3)
    start, step = datetime(2020, 1, 1), timedelta(minutes=1)
    times = pl.datetime_range(start, start + step * (len(values) - 1), step, eager=True)
    path = tmp_path_factory.mktemp("large") / "large.csv"
    pl.DataFrame(values, list("abcdefghi")).insert_column(0, times.alias("time")).write_csv(path)
    return path


def test_200_000_rows_are_read_and_checked_in_seconds(large: Path) -> None:
    """About one second of processor time; ten where the machine is busy with other things."""
    started = time.process_time()
    table = load_series(str(large))
    assert time.process_time() - started < 10
    assert table.series[0].values.shape == (200_000, 9)
    assert table.step == "1 minute"


def test_10_000_columns_are_read(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    names = ",".join(f"c{at}" for at in range(10_000))
    row = ",".join(["1.5"] * 10_000)
    path.write_text(f"{names}\n{row}\n{row}\n")
    frame = read_frame(str(path))
    assert len(frame.columns) == 10_000
    assert frame.column("c9999").values.to_list() == [1.5, 1.5]
