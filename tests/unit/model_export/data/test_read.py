"""What is found in a file, and what is refused, with its place and the way out."""

import gzip
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from model_export.data.frame import Frame, ReadOptions
from model_export.data.read import read_frame
from model_export.errors import DataError
from tests.unit.model_export.data.conftest import WriteFile


def values(frame: Frame) -> dict[str, list[object]]:
    return {column.name: column.values.to_list() for column in frame.columns}


def kinds(frame: Frame) -> list[str]:
    return [column.kind for column in frame.columns]


def fault(frame: Frame, name: str) -> str:
    column = frame.column(name)
    assert column.kind == "text"
    assert column.fault is not None
    return column.fault


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a,b\n1,2.5\n3,-4e1\n", {"a": [1, 3], "b": [2.5, -40]}),
        ("a;b\n1,5;2\n3,5;4\n", {"a": [1.5, 3.5], "b": [2, 4]}),
        ("a\tb\n1.234\t2\n", {"a": [1.234], "b": [2]}),
        ("a|b\n1|2\n", {"a": [1], "b": [2]}),
        ('a,b\n"1,234.5",5\n"2,345",6\n', {"a": [1234.5, 2345], "b": [5, 6]}),
        ("a;b\n1.234,5;2\n1.234;3\n", {"a": [1234.5, 1234], "b": [2, 3]}),
        ("a\tb\n1.234\t1,5\n", {"a": [1234], "b": [1.5]}),
        ("a;b\n1 234,5;2\n", {"a": [1234.5], "b": [2]}),
        ("a;b\n1\u202f234;2\n", {"a": [1234], "b": [2]}),
        ("a;b\n12'345'678.5;2\n", {"a": [12345678.5], "b": [2]}),
        ("a,b\n1,2\n\u22123,4\n", {"a": [1, -3], "b": [2, 4]}),
        ("value\n1,5\n2,5\n", {"value": [1.5, 2.5]}),
        ("a\r\n1\r\n2", {"a": [1, 2]}),
        ("a,b\r1,2\r3,4\r", {"a": [1, 3], "b": [2, 4]}),
        ("\ufeffa,b\n1,2\n", {"a": [1], "b": [2]}),
        ('a, "b c"\n1, "2"\n', {"a": [1], "b c": [2]}),
        ('"Temp\n(C)",b\n1,2\n', {"Temp (C)": [1], "b": [2]}),
        ("sep=;\na;b\n1;2\n", {"a": [1], "b": [2]}),
        ("# by hand\na,b\n1,2\n# pause\n3,4\n", {"a": [1, 3], "b": [2, 4]}),
        ("# a, b\n1,2\n3,4\n", {"a": [1, 3], "b": [2, 4]}),
        ("  # by hand, on monday\na,b\n1,2\n", {"a": [1], "b": [2]}),
        ("a,b,\n1,2,\n3,4,\n", {"a": [1, 3], "b": [2, 4], "column 3": [None, None]}),
        ("a,b\n+5,.5\n5.,1E3\n", {"a": [5, 5], "b": [0.5, 1000]}),
        ("a,b\nNA,-\n1,null\nNaN,2\n", {"a": [None, 1, None], "b": [None, None, 2]}),
        ("a,b\n,1\n2,3\n", {"a": [None, 2], "b": [1, 3]}),
        ("a,b\n1,true\n2,FALSE\n", {"a": [1, 2], "b": [1, 0]}),
        ("a,b\nNA,-\nNA,2\n1,3\n", {"a": [None, None, 1], "b": [None, 2, 3]}),
        ('"a, b",c\nNA,y\n1,x\n3,z\n', {"a, b": [None, 1, 3], "c": ["y", "x", "z"]}),
        ("name\nx,1\ny,2\nz,3\n", {"name": ["x,1", "y,2", "z,3"]}),
        ("a;b\nx;1,5\ny;2,5\nz;3,5\n", {"a": ["x", "y", "z"], "b": [1.5, 2.5, 3.5]}),
        ("a,b\n1,-999\n2,3\n", {"a": [1, 2], "b": [-999, 3]}),
    ],
)
def test_numbers_are_found_in_any_usual_dialect(
    write: WriteFile, content: str, expected: dict[str, list[object]]
) -> None:
    assert values(read_frame(write(content))) == expected


@pytest.mark.parametrize(
    ("content", "options", "expected"),
    [
        ("1,2\n3,4\n", ReadOptions(header=False), {"column 1": [1, 3], "column 2": [2, 4]}),
        ("2019,2020\n3,4\n", ReadOptions(header=True), {"2019": [3], "2020": [4]}),
        ('a,b\n"1,234",5\n', ReadOptions(thousands=","), {"a": [1234], "b": [5]}),
        ('a,b\n"1,234",5\n', ReadOptions(decimal=","), {"a": [1.234], "b": [5]}),
        ("a;b\n1.234;5\n", ReadOptions(decimal="."), {"a": [1.234], "b": [5]}),
        ("a;b\n1.234;5\n", ReadOptions(thousands="."), {"a": [1234], "b": [5]}),
        ("a b\n1  2\n3 4\n", ReadOptions(delimiter=" "), {"a": [1, 3], "b": [2, 4]}),
        ("a\tb\n1,5\t2\n", ReadOptions(delimiter="\\t"), {"a": [1.5], "b": [2]}),
        ("a,b:c\n1,5:2\n", ReadOptions(delimiter=":"), {"a,b": [1.5], "c": [2]}),
    ],
)
def test_options_decide(
    write: WriteFile, content: str, options: ReadOptions, expected: dict[str, list[object]]
) -> None:
    assert values(read_frame(write(content), options)) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        ("a,b\n", "has a header and no rows"),
        ("a,b\n,\n,\n", "has a header and no rows"),
        ("a,b\n1,2\n3\n", "line 3: 1 cell, the header (line 1) has 2"),
        ("a,b\n1,2\n\n3,4,5\n", "line 4: 3 cells, the header (line 1) has 2"),
        ('a,b\n"x\ny",2\n3,z,4\n', "line 4: 3 cells, the header (line 1) has 2"),
        ('a,b\n1,"2\n3,4\n', "line 2: a quote is not closed"),
        ('a,b\n1,2\n3,"4"x\n', "line 3: a quote is not closed, or something follows it"),
        ("Station 4\na,b\n1,2\n3,4\n", "line 1: 'Station 4' looks like a title above the table; "
         "remove what stands above the names of the columns, or begin it with #"),
        ("# made\nStation 4\nJanuary, by me\n\na;b\n1;2,5\n3;4\n", "line 2: 'Station 4' looks"),
        ("Station 4,\na,b\n1,2\n3,4\n", "line 2: 'a', 'b' above numbers look like units, or like "
         "names below a title; leave one line above the numbers, that of the names"),
        ("t,a,b\n,kW,NA\n2020-01-01,1,2\n2020-01-02,2,3\n", "line 2: 'kW' above numbers"),
        ("a,b\n1,2\na,b\n3,4\na,b\n", "line 3: the names of the columns again (such lines: 2)"),
        ("a,b\n1,2\nSource: me\n", "line 3: 1 cell, the header (line 1) has 2; 'Source: me' looks "
         "like a note: remove it, or begin it with #"),
        ("1,2\n3,4\n", "line 1: the first row looks like data ('1'), not like names of columns; "
         "--no-header reads it as data, --header as names"),
        ("2020-01-01,x\n2020-01-02,y\n", "looks like data ('2020-01-01')"),
        ("a,b,a\n1,2,3\n", "line 1: columns 1 and 3 are both named 'a'"),
        ('a,b\n"1,234",5\n"2,345",6\n', "line 2, column 'a': '1,234' may be 1234 (--decimal .) or "
         "1.234 (--decimal ,)"),
        ("a;b\n5;1\n1.234;2\n", "line 3, column 'a': '1.234' may be 1.234 (--decimal .) or 1234 "
         "(--decimal ,)"),
        (b"a\n1\n\xe9\n", "line 3: bad byte 0xe9 at offset 4; save the file as UTF-8"),
        (gzip.compress(b"a\n1\n", mtime=0), "compressed with gzip"),
        (b"PK\x03\x04", "an Excel workbook or a ZIP archive: save the sheet as CSV"),
        ("a\n1\n".encode("utf-16"), "UTF-16"),
        ('{"a": [1, 2]}', "JSON"),
        (b"a\n\x00\n", "is not text: a zero byte at offset 2"),
        (b"PAR1 and nothing", "cannot be read as Parquet"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_by_line(
    write: WriteFile, content: str | bytes, message: str
) -> None:
    with pytest.raises(DataError) as refused:
        read_frame(write(content))
    assert message in str(refused.value)
    assert "table.csv" in str(refused.value)


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(DataError, match="cannot read"):
            read_frame(str(path))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (ReadOptions(decimal=";"), "--decimal is '.' or ','"),
        (ReadOptions(thousands="x"), "--thousands is one of"),
        (ReadOptions(decimal=",", thousands=","), "--decimal and --thousands are both ','"),
        (ReadOptions(delimiter=";;"), "--delimiter is one character"),
    ],
)
def test_options_that_mean_nothing_are_refused(
    write: WriteFile, options: ReadOptions, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read_frame(write("a;b\n1;2\n"), options)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["1", "x", "3", "4"], "line 3, column 'a': 'x' is not a finite number, and 3 of 4"),
        (["inf", "2", "3"], "line 2, column 'a': 'inf' is not a finite number"),
        (["1", "2", "1e999"], "line 4, column 'a': '1e999' is not a finite number"),
        (
            ["2.5", "4,5", "6.5"],
            "'4,5' is not a finite number with '.' as the decimal mark, and 2 of 3 cells are; corr",
        ),
        (["4.5", "off", "off", "off", "off"], "'off' is not a finite number, and 1 of 5 cells are"),
        (["5%", "6%"], "line 2, column 'a': '5%' is a number with a sign, a unit"),
        (["", "$5", "$6"], "line 3, column 'a': '$5' is a number with"),
        (["5 €", "6 €"], "'5 €' is a number with"),
        (["USD 5", "USD 6"], "'USD 5' is a number with"),
        (["0x10", "0x1f"], "'0x10' is a number with"),
        (["(5)", "(6)"], "'(5)' is a number with"),
        (["3 kg", "4 kg"], "'3 kg' is a number with a sign, a unit or other marks; write plain"),
        (
            ["１０２５.８", "１０２６.１"],
            "'１０２５.８' is a number with a sign, a unit or other marks",
        ),
        (["- 12.5", "- 7"], "'- 12.5' is a number with a sign"),
        (["12±1", "13 +/- 0.5"], "'12±1' is a number with a sign"),
        (["1.2D+03", "1.3d4"], "'1.2D+03' is a number with a sign"),
        (["2020-01-01", "2020-02-30", "2020-03-01"], "line 3, column 'a': '2020-02-30' is not a t"),
        (["", "2020-01-01T00:00Z", "2020-01-02T00:00"], "line 4, column 'a': 1 of 2 times name a"),
        (
            ["", "01/02/2020", "03/04/2020"],
            "line 3, column 'a': days and months cannot be told apart; --time-format %d/%m/%Y or",
        ),
        (
            ["2026-01-02", "02/01/2026", "2026-01-03"],
            "line 3, column 'a': '02/01/2026' is written in another form than '2026-01-02'; ",
        ),
        (
            ["2026-01-02", "01/13/2026", "01/14/2026"],
            "line 3, column 'a': '01/13/2026' is written in another form than '2026-01-02'",
        ),
        (
            ["13.01.2026", "14/01/2026"],
            "line 3, column 'a': '14/01/2026' is written in another form than '13.01.2026'",
        ),
        (
            ["13/01/2026", "01/14/2026", "01/15/2026"],
            "line 3, column 'a': '01/14/2026' is no date with the day in front, as the others are",
        ),
        (
            ["2026-01-01 00:00:00.0000001", "2026-01-01 00:00:00.0000002"],
            "line 3, column 'a': '2026-01-01 00:00:00.0000002' and another time differ by less "
            "than the microseconds that are kept; write a count of nanoseconds in their place",
        ),
    ],
)
def test_a_column_that_is_nearly_numbers_or_times_says_which_cell_is_not(
    write: WriteFile, cells: list[str], message: str
) -> None:
    content = "a;b\n" + "".join(f"{cell};1\n" for cell in cells)
    assert message in fault(read_frame(write(content)), "a")


def test_a_column_with_other_marks_than_the_rest_is_named(write: WriteFile) -> None:
    frame = read_frame(write("a;b\n1,25;2.5\n1,75;3.5\n1,5;4.5\n"), ReadOptions(decimal="."))
    assert fault(frame, "a").partition(": ")[2] == (
        "'1,25' is a number with other marks than '.' as the decimal mark; write all numbers of "
        "the file alike, or name the marks with --decimal and --thousands"
    )
    frame = read_frame(write("a,b\n1025.8,1\n"), ReadOptions(thousands="."))
    assert "than ',' as the decimal mark and '.' between thousands; " in fault(frame, "a")


def test_spaces_between_the_cells_do_not_group_thousands(write: WriteFile) -> None:
    frame = read_frame(write("a b\n100 200\n300 400\n"))
    assert "'100 200' is a number with" in fault(frame, "a b")
    grouped = read_frame(write("a\n100 200\n300 400\n"), ReadOptions(thousands=" "))
    assert values(grouped) == {"a": [100200, 300400]}


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["2020-01-05T03:04:05.5+02:00", "2020-01-05 03:04Z"],
         [datetime(2020, 1, 5, 1, 4, 5, 500000), datetime(2020, 1, 5, 3, 4)]),
        (["2020-01", "2020-02"], [datetime(2020, 1, 1), datetime(2020, 2, 1)]),
        (["2020-01-01", "2020-01-01 01:00"], [datetime(2020, 1, 1), datetime(2020, 1, 1, 1)]),
        (["1.2.2020", "29.2.2020 23:59"], [datetime(2020, 2, 1), datetime(2020, 2, 29, 23, 59)]),
        (["1/2/2020 3:00 PM", "1/13/2020 12:00 AM"],
         [datetime(2020, 1, 2, 15), datetime(2020, 1, 13)]),
        (["13/02/2020", "1/2/2020"], [datetime(2020, 2, 13), datetime(2020, 2, 1)]),
        (["2020-03-29T01:30+01:00", "2020-03-29T03:30+02:00"],
         [datetime(2020, 3, 29, 0, 30), datetime(2020, 3, 29, 1, 30)]),
        (["2020/01/05", ""], [datetime(2020, 1, 5), None]),
        (["2020-01-01T00:00-05:30"], [datetime(2020, 1, 1, 5, 30)]),
        (["2020-01-01 00:00:00.123456789", "2020-01-01 00:00:00.123457"],
         [datetime(2020, 1, 1, 0, 0, 0, 123456), datetime(2020, 1, 1, 0, 0, 0, 123457)]),
    ],
)  # fmt: skip
def test_times_as_people_write_them(
    write: WriteFile, cells: list[str], expected: list[datetime | None]
) -> None:
    frame = read_frame(write("t;b\n" + "".join(f"{cell};1\n" for cell in cells)))
    assert frame.column("t").kind == "time"
    assert frame.column("t").values.to_list() == expected


@pytest.mark.parametrize(
    ("cell", "time_format"),
    [
        ("03/04/2020", "%d/%m/%Y"),
        ("Apr 3, 20 00.00", "%b %d, %y %H.%M"),
        ("2020040300", "%Y%m%d%H"),
        ("2020-04-03T02:00:00.000 +0200", "%Y-%m-%dT%H:%M:%S.%f %z"),
        ("2020-04-03 00:00 GMT", "%Y-%m-%d %H:%M %Z"),
    ],
)
def test_a_time_format_reads_other_forms(write: WriteFile, cell: str, time_format: str) -> None:
    frame = read_frame(write(f"t;b\n{cell};1\n"), ReadOptions(time_format=time_format))
    assert frame.column("t").values.to_list() == [datetime(2020, 4, 3)]


def test_a_time_format_that_fits_some_cells_is_refused(write: WriteFile) -> None:
    path = write("t;b\n01/02/2020;1\n13/01/2020;2\nNA;2\n13/03/2020;1\n")
    with pytest.raises(DataError, match="and 1 of 3 cells are") as refused:
        read_frame(path, ReadOptions(time_format="%m/%d/%Y"))
    assert "line 3, column 't': '13/01/2020' is not written as" in str(refused.value)


def test_a_zone_that_is_but_a_name_is_refused(write: WriteFile) -> None:
    path = write("t;b\n2020-01-01 00:00 UTC;1\n2020-01-01 01:00 CET;2\n")
    frame = read_frame(path, ReadOptions(time_format="%Y-%m-%d %H:%M %Z"))
    assert "line 3, column 't': '2020-01-01 01:00 CET' names a time zone" in fault(frame, "t")


def test_times_of_a_format_are_kept_to_the_microsecond(write: WriteFile) -> None:
    path = write("t;b\n2020-01-01 00:00:00.0000001;1\n2020-01-01 00:00:00.0000002;2\n")
    frame = read_frame(path, ReadOptions(time_format="%Y-%m-%d %H:%M:%S.%f"))
    assert "line 3, column 't': " in fault(frame, "t")


def test_a_time_format_that_fits_nowhere_is_refused(write: WriteFile) -> None:
    for time_format in ("%d/%m/%Y", "%Q"):
        with pytest.raises(DataError, match="fits no cell"):
            read_frame(write("t;b\n2020-01-01;1\n"), ReadOptions(time_format=time_format))


def test_numbers_in_the_shape_of_dates_are_text(write: WriteFile) -> None:
    frame = read_frame(write("a,b\n12-34-5678,1234-56-78\n10-45-1234,0815-47-11\n"))
    assert kinds(frame) == ["text", "text"]
    assert [column.fault for column in frame.columns] == [None, None]


def test_text_stays_text(write: WriteFile) -> None:
    frame = read_frame(write("a,b,c\nNA,12 Main St,007\nUS,7th Ave,008\n,x,9\n"))
    assert kinds(frame) == ["text", "text", "whole number"]
    assert frame.column("a").values.to_list() == ["NA", "US", None]
    assert frame.column("c").texts.to_list() == ["007", "008", "9"]


def test_lines_are_those_of_the_file(write: WriteFile) -> None:
    frame = read_frame(write('# made\n\na,b\n1,2\n\n"3\n",4\n# no\n5,6\n,\n'))
    np.testing.assert_array_equal(frame.lines, [4, 6, 9])
    assert frame.notes == (
        "lines before the table, left out: 2",
        "comments (#) between the rows, left out: 1",
        "empty rows at the end, left out: 1",
    )


def test_names_that_are_taken_from_a_comment_are_told(write: WriteFile) -> None:
    frame = read_frame(write("# made\n# a, b\n\n1,2\n3,4\n"))
    assert frame.names == ("a", "b")
    assert frame.notes == (
        "the names of the columns are those of the comment in line 2",
        "lines before the table, left out: 2",
    )


@pytest.mark.parametrize("content", ["a\n1\n\n3\n\n\n", 'a\n1\n""\n3\n'])
def test_an_empty_line_in_a_file_of_one_column_is_a_missing_cell(
    write: WriteFile, content: str
) -> None:
    frame = read_frame(write(content))
    assert frame.column("a").values.to_list() == [1, None, 3]
    np.testing.assert_array_equal(frame.lines, [2, 3, 4])


def test_an_unknown_column_is_refused_with_the_names(write: WriteFile) -> None:
    with pytest.raises(DataError, match="no column 'c'; there are a, b"):
        read_frame(write("a,b\n1,2\n")).column("c")


def parquet(tmp_path: Path, table: pl.DataFrame) -> Frame:
    path = tmp_path / "table.any"
    table.write_parquet(path)
    return read_frame(str(path))


def test_parquet_becomes_the_same_frame(tmp_path: Path) -> None:
    moments = [datetime(2020, 1, 1), datetime(2020, 1, 2)]
    frame = parquet(
        tmp_path,
        pl.DataFrame(
            {
                "time": pl.Series(moments).dt.replace_time_zone("Europe/Berlin"),
                "whole": [1, 2],
                "small": pl.Series([1.5, None], dtype=pl.Float32),
                "money": pl.Series(["1.25", "2.50"]).cast(pl.Decimal(10, 2)),
                "flag": [True, False],
                "written": ["1,5", "2,75"],
                "kind": pl.Series(["x", "y"], dtype=pl.Categorical),
                "none": pl.Series([None, None], dtype=pl.Float64),
            }
        ),
    )
    assert values(frame) == {
        "time": [datetime(2019, 12, 31, 23), datetime(2020, 1, 1, 23)],
        "whole": [1, 2],
        "small": [1.5, None],
        "money": [1.25, 2.5],
        "flag": [1, 0],
        "written": [1.5, 2.75],
        "kind": ["x", "y"],
        "none": [None, None],
    }
    assert frame.column("kind").kind == "text"
    assert frame.column("none").kind == "empty"
    assert frame.at(1).endswith("table.any, row 2")


def test_faults_in_parquet_name_the_row(tmp_path: Path) -> None:
    table = pl.DataFrame({"a": [1.0, float("inf")], "b": [[1], [2]], "c": [float("nan"), 1.0]})
    frame = parquet(tmp_path, table)
    assert "row 2, column 'a': inf is not a finite number" in fault(frame, "a")
    assert "column 'b' holds List(Int64)" in fault(frame, "b")
    with pytest.raises(DataError, match="column 'b' holds List"):
        frame.role("b", "item")
    assert frame.column("c").values.to_list() == [None, 1]


def test_nanoseconds_of_parquet_are_not_lost(tmp_path: Path) -> None:
    times = pl.Series([0, 1000, 1001]).cast(pl.Datetime("ns"))
    frame = parquet(tmp_path, pl.DataFrame({"a": times, "b": times[:2].append(times[:1])}))
    assert "row 3, column 'a': 1970-01-01 00:00:00.000001001 and another time" in fault(frame, "a")
    assert frame.column("b").kind == "time"


def test_parquet_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no rows"):
        parquet(tmp_path, pl.DataFrame({"a": pl.Series([], dtype=pl.Float64)}))
