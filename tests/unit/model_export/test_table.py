"""Tables of numbers, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from model_export.data.table import load_table
from model_export.errors import DataError


def csv_file(folder: Path, content: str) -> str:
    path = folder / "table.csv"
    path.write_text(content)
    return str(path)


def test_columns_of_numbers_are_found(tmp_path: Path) -> None:
    table = load_table(csv_file(tmp_path, "day,a,b\nmon,1,2.5\ntue,3,-4e1\n"), None, None)
    assert table.names == ("a", "b")
    np.testing.assert_array_equal(table.values, [[1, 2.5], [3, -40]])
    assert table.observed.all()


def test_columns_can_be_chosen_in_any_order(tmp_path: Path) -> None:
    table = load_table(csv_file(tmp_path, "a,b,c\n1,2,3\n4,5,6\n"), ("c", "a"), None)
    np.testing.assert_array_equal(table.values, [[3, 1], [6, 4]])


@pytest.mark.parametrize("cell", ["", " ", "NaN", "null"])
def test_a_missing_value_is_refused_with_its_line(tmp_path: Path, cell: str) -> None:
    path = csv_file(tmp_path, f"a,b\n1,2\n3,{cell}\n5,6\n")
    with pytest.raises(DataError, match=r"line 3, column 'b': missing value \(1 in all\); --fill"):
        load_table(path, None, None)


def test_filling_draws_lines_and_says_so(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "a,b\n1,7\n,7\n,7\n4,7\n,7\n")
    table = load_table(path, ("a", "b"), "interpolate")
    np.testing.assert_array_equal(table.values[:, 0], [1, 2, 3, 4, 4])
    np.testing.assert_array_equal(table.observed[:, 0], [True, False, False, True, False])
    assert "3 missing values interpolated linearly" in table.source.description


@pytest.mark.parametrize("cell", ["x", "inf", "1e999"])
def test_what_is_no_finite_number_is_refused_with_its_line(tmp_path: Path, cell: str) -> None:
    path = csv_file(tmp_path, f"a\n1\n{cell}\n")
    with pytest.raises(DataError, match=f"line 3, column 'a': '{cell}' is not a finite number"):
        load_table(path, None, "interpolate")


@pytest.mark.parametrize(
    ("content", "columns", "message"),
    [
        ("a,b\n1,2\n", ("c",), "no column 'c'; there are a, b"),
        ("a,b\n1,2\n3\n", None, "line 3: 1 cells, the header has 2"),
        ("a,b\n", None, "no rows below its header"),
        ("", None, "no rows below its header"),
        ("a\nx\n", None, "no column of numbers"),
        ("a,b\n1,\n2,\n", ("b",), "column 'b' holds no value"),
    ],
)
def test_unusable_tables_are_refused(
    tmp_path: Path, content: str, columns: tuple[str, ...] | None, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        load_table(csv_file(tmp_path, content), columns, "interpolate")


def test_the_co2_record_tells_that_it_was_filled() -> None:
    table = load_table("co2", None, None)
    assert table.values.shape == (2284, 1)
    assert (~table.observed).sum() == 59
    assert "59 missing values interpolated linearly" in table.source.description
    assert np.isfinite(table.values).all()
