"""From a file to series: roles, checks and repairs, each refused by its line."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model_export.data.frame import ReadOptions
from model_export.data.series import (
    Repairs,
    SeriesRoles,
    Table,
    load_series,
    report_table,
)
from model_export.errors import DataError
from tests.unit.model_export.data.conftest import WriteFile

DAYS = [str(date(2020, 1, 1) + timedelta(days=day)) for day in range(60)]
NAN = np.nan


def rows(*cells: object, header: str = "time,a") -> str:
    return header + "\n" + "".join(f"{cell}\n" for cell in cells)


def daily(*values: object, header: str = "time,a") -> str:
    """One row a day."""
    cells = [f"{day},{value}" for day, value in zip(DAYS, values, strict=False)]
    return rows(*cells, header=header)


def only(table: Table) -> list[list[float]]:
    [series] = table.series
    values: list[list[float]] = series.values.tolist()
    return values


def why(table: Table, name: str) -> str:
    [report] = [report for report in table.columns if report.name == name]
    return f"{report.role}: {report.done}: {report.why}"


def refused(path: str, roles: SeriesRoles | None = None, repairs: Repairs | None = None) -> str:
    with pytest.raises(DataError) as error:
        load_series(path, ReadOptions(), roles, repairs)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_all_numbers_but_the_time_are_targets(write: WriteFile) -> None:
    path = write(daily("5,x,2", "3,y,9", "4,z,1", "1,z,1", header="time,a,t,b"))
    table = load_series(path)
    assert (table.targets, table.known, table.inputs) == (("a", "b"), (), ())
    assert only(table) == [[5, 2], [3, 9], [4, 1], [1, 1]]
    [series] = table.series
    assert series.times is not None
    assert series.times.dtype == np.dtype("datetime64[us]")
    assert [str(moment)[:10] for moment in series.times] == DAYS[:4]
    assert series.lines.tolist() == [2, 3, 4, 5]
    assert table.step == "1 day"
    assert [report.name for report in table.columns] == ["time", "a", "t", "b"]
    assert why(table, "time") == "time: used: the only column of times"
    assert why(table, "t") == "left out: left out: text"


def test_roles_order_the_columns_of_the_values(write: WriteFile) -> None:
    path = write(daily("1,2,3,true", "4,9,6,no", "7,5,9,no", "1,0,3,no", header="time,a,b,c,d"
                       ).replace("no", "false"))  # fmt: skip
    roles = SeriesRoles(targets=("c",), inputs=("b",), known=("d",))
    table = load_series(path, roles=roles)
    assert (table.targets, table.known, table.inputs) == (("c",), ("d",), ("b",))
    assert only(table) == [[3, 1, 2], [6, 0, 9], [9, 0, 5], [3, 0, 0]]
    assert why(table, "a") == ("left out: left out: not named")


def test_series_are_told_apart_and_may_differ_in_length(write: WriteFile) -> None:
    one = [f"{day},7,{value}" for day, value in zip(DAYS, [1, 5, 2, 4], strict=False)]
    two = [f"{day},3,{value}" for day, value in zip(DAYS, [8, 6, 7, 5, 3], strict=False)]
    mixed = [*one[:2], two[0], *one[2:], *two[1:]]
    table = load_series(
        write(rows(*mixed, header="time,station,a")), roles=SeriesRoles(series="station")
    )
    assert [series.name for series in table.series] == ["7", "3"]
    assert [series.values[:, 0].tolist() for series in table.series] == [
        [1, 5, 2, 4], [8, 6, 7, 5, 3],
    ]  # fmt: skip
    assert table.series[1].lines.tolist() == [4, 7, 8, 9, 10]
    assert "2 series of 4 to 5 rows" in report_table(table)


STACKED = [
    f"{day},{station},{(3 * at) % 7}" for station in (7, 3) for at, day in enumerate(DAYS[:6])
]


@pytest.mark.parametrize(
    ("cells", "header"),
    [
        (STACKED, "time,station,a"),
        (sorted(STACKED), "time,station,a"),
        ([row.replace(",7,", ",x,").replace(",3,", ",y,") for row in STACKED], "time,station,a"),
        ([row.partition(",")[2] for row in STACKED], "station,a"),
        ([f"{'xy'[row[11] == '3']}{row[12:]}" for row in STACKED], "station,a"),
    ],
    ids=["blocks", "mixed", "text", "no time", "text, no time"],
)
def test_the_id_of_several_series_is_not_taken_for_a_number(
    write: WriteFile, cells: list[str], header: str
) -> None:
    message = refused(write(rows(*cells, header=header)))
    assert "column 'station' (2 values: " in message
    assert "looks like the id of several series" in message
    assert "--series station" in message


def test_rows_without_an_id_are_counted_where_the_id_is_found(write: WriteFile) -> None:
    holes = [row.replace(",3,", ",,") for row in STACKED]
    for cells in (holes, sorted(holes)):
        message = refused(write(rows(*cells, header="time,station,a")))
        assert "column 'station' (1 value: '7', …) looks like the id of several" in message
        assert "; rows without one: 6, the first in line " in message


def test_a_second_part_of_the_id_is_named(write: WriteFile) -> None:
    cells = [f"{line},{row}" for line in "ab" for row in STACKED]
    path = write(rows(*cells, header="line,time,station,a"))
    message = refused(path, SeriesRoles(series="station"), Repairs(order="sort"))
    assert (
        "column 'line' (2 values: 'a', 'b', …) looks like a second part of the id, for every time "
        "of a 'station' comes once for each of its values; join 'station' and 'line' in one column "
        "for --series; if it is no id, take it out of the file"
    ) in message
    roles = SeriesRoles(series="line", inputs=("station",))
    message = refused(path, roles, Repairs(order="sort"))
    assert message.endswith("6 duplicates; --duplicates first, last or mean")


def test_dates_and_times_of_day_in_two_columns_are_refused(write: WriteFile) -> None:
    cells = [f"{day},{at:02}:00,{at % 3}" for day in DAYS[:2] for at in range(6)]
    message = refused(write(rows(*cells, header="date,time,a")))
    assert (
        "'date' has dates and 'time' times of day; join them in one column, 2020-01-01 00:00"
    ) in message
    daily_sunrise = [f"{day},08:{at:02},{at % 3}" for at, day in enumerate(DAYS[:6])]
    assert load_series(write(rows(*daily_sunrise, header="date,sunrise,a"))).targets == ("a",)


def test_a_column_that_looks_like_an_id_can_be_named_as_an_input(write: WriteFile) -> None:
    values = [f"{at // 4},{(3 * at) % 7}" for at in range(12)]
    path = write(daily(*values, header="time,phase,a"))
    assert "--series phase, or name it in --targets, --known or --inputs" in refused(path)
    assert load_series(path, roles=SeriesRoles(inputs=("phase",))).inputs == ("phase",)


def test_a_numeric_column_of_many_values_is_no_id(write: WriteFile) -> None:
    values = [f"{(7 * at) % 5},{at % 2}" for at in range(30)]
    assert load_series(write(daily(*values, header="time,a,b"))).targets == ("a", "b")


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        (SeriesRoles(targets=("z",)), "no column 'z'; there are time, a, t, e"),
        (SeriesRoles(time="t"), "column 't': text, not times such as 'x'; --time-format"),
        (SeriesRoles(time="e"), "column 'e': empty, not times"),
        (SeriesRoles(targets=("t",)), "line 2, column 't': 'x' is text, not a number"),
        (SeriesRoles(targets=("e",)), "column 'e' holds no value"),
        (SeriesRoles(targets=("a",), known=("a",)), "'a' cannot be target and known"),
        (SeriesRoles(inputs=("a",)), "has no column of numbers to forecast"),
    ],
)
def test_roles_that_do_not_fit_are_refused(
    write: WriteFile, roles: SeriesRoles, message: str
) -> None:
    path = write(daily("5,x,", "3,y,", "4,z,", "1,z,", header="time,a,t,e"))
    assert message in refused(path, roles)


def test_two_columns_of_times_are_refused(write: WriteFile) -> None:
    path = write(rows("2020-01-01,2020-01-02,5", header="from,until,a"))
    assert "has 2 columns of times; choose: --time 'from' or --time 'until'" in refused(path)


def test_a_faulty_column_is_refused_unless_others_are_chosen(write: WriteFile) -> None:
    path = write(daily("5,1", "3,x", "4,2", "1,3", header="time,a,b"))
    message = refused(path)
    assert "line 3, column 'b': 'x' is not a finite number" in message
    assert message.endswith("or choose columns with --targets")
    table = load_series(path, roles=SeriesRoles(targets=("a",)))
    assert "'x' is not a finite number" in why(table, "b")


def test_a_text_with_few_numbers_in_it_says_how_many(write: WriteFile) -> None:
    cells = [f"{at % 4},{word}" for at, word in enumerate(["off", "on", "3", "on", "off", "on"])]
    table = load_series(write(daily(*cells, header="time,a,b")))
    assert why(table, "b") == "left out: left out: text; 1 of 6 cells are numbers"


def test_faulty_times_are_refused_whatever_is_chosen(write: WriteFile) -> None:
    path = write(rows("2020-01-01,1", "2020-02-30,2", "2020-03-01,4"))
    assert "'2020-02-30' is not a time" in refused(path, SeriesRoles(targets=("a",)))


@pytest.mark.parametrize("name", ["timestamp", "Date", "epoch"])
def test_numbers_with_the_name_of_a_time_are_refused(write: WriteFile, name: str) -> None:
    path = write(rows("1600000000,1", "1600000060,3", "1600000120,2", header=f"{name},a"))
    message = refused(path)
    assert f"column {name!r} looks like the time (--time {name})" in message


def test_a_part_of_the_date_is_no_target_unasked(write: WriteFile) -> None:
    path = write(daily("3,1", "4,2", "5,3", "6,1", header="time,hour,a"))
    assert "column 'hour' looks like a part of the date" in refused(path)
    assert load_series(path, roles=SeriesRoles(known=("hour",))).known == ("hour",)


@pytest.mark.parametrize(
    ("times", "step", "first"),
    [
        ([1600000000, 1600000060, 1600000120, 1600000180], "1 minute", "2020-09-13T12:26:40"),
        ([1600000000000, 1600000000500, 1600000001000, 1600000001500], "500 milliseconds",
         "2020-09-13T12:26:40"),
        ([1600000000000000000 + second * 10**9 for second in range(4)], "1 second",
         "2020-09-13T12:26:40"),
        ([1600000000000000000 + at for at in range(4)], "1", None),
        ([20200101, 20200102, 20200103, 20200104], "1 day", "2020-01-01T00:00:00"),
        ([20200101, 20200201, 20200301, 20200401], "1 month", "2020-01-01T00:00:00"),
        ([202001, 202002, 202003, 202004], "1 month", "2020-01-01T00:00:00"),
        ([2020013122, 2020013123, 2020020100, 2020020101], "1 hour", "2020-01-31T22:00:00"),
        ([202001312358, 202001312359, 202002010000, 202002010001], "1 minute",
         "2020-01-31T23:58:00"),
        ([20200131235959, 20200201000000, 20200201000001, 20200201000002], "1 second",
         "2020-01-31T23:59:59"),
        ([*range(200001, 200020)], "1", None),
        ([1990, 1991, 1992, 1993], "1", None),
        ([0.1, 0.2, 0.3, 0.4], "0.1", None),
    ],
)  # fmt: skip
def test_numbers_can_be_the_time(
    write: WriteFile, times: list[float], step: str, first: str | None
) -> None:
    path = write(rows(*(f"{time},{at % 3}" for at, time in enumerate(times)), header="t,a"))
    table = load_series(path, roles=SeriesRoles(time="t"))
    assert table.step == step
    moments = table.series[0].times
    assert (None if moments is None else str(moments[0])[:19]) == first


def test_a_number_that_is_no_date_among_dates_is_refused(write: WriteFile) -> None:
    times = [202001312358, 202001312359, 202001312400, 202002010000]
    path = write(rows(*(f"{time},1" for time in times), header="t,a"))
    message = "line 4, column 't': '202001312400' is no time written as 200001312359, and 3 of 4"
    assert message in refused(path, SeriesRoles(time="t"))


def test_nanoseconds_that_a_float_does_not_hold_are_told_apart(write: WriteFile) -> None:
    times = [1600000000000000000 + at for at in (1, 2, 3, 3)]
    message = refused(write(rows(*(f"{t},1" for t in times), header="t,a")), SeriesRoles(time="t"))
    assert "line 5: 1600000000000000003 again, as in line 4" in message


def test_a_column_that_counts_the_rows_is_the_time(write: WriteFile) -> None:
    path = write(rows(*(f"{at},{(3 * at) % 7}" for at in range(10)), header=",a"))
    table = load_series(path)
    assert table.targets == ("a",)
    assert why(table, "column 1") == (
        "time: used: rises by the same amount in every row: taken as the time"
    )


def test_a_count_that_starts_again_with_every_series_is_the_time(write: WriteFile) -> None:
    cells = [f"{name}{'.0' * (at % 2)},{at},{(3 * at) % 7}" for name in (7, 8) for at in range(10)]
    path = write(rows(*cells, header="s,n,a"))
    table = load_series(path, roles=SeriesRoles(series="s"))
    assert (table.targets, table.step) == (("a",), "1")


def test_a_count_that_falls_shows_that_the_newest_come_first(write: WriteFile) -> None:
    path = write(rows(*(f"{9 - at},{(3 * at) % 7}" for at in range(10)), header="id,a"))
    assert "line 3: 8 comes after 9; rows that go back in time: 9; --order sort" in refused(path)
    [series] = load_series(path, repairs=Repairs(order="sort")).series
    assert series.lines.tolist() == [*range(11, 1, -1)]
    assert load_series(path, roles=SeriesRoles(targets=("a",))).series[0].lines[0] == 2


def test_years_before_people_counted_them_are_told(write: WriteFile) -> None:
    path = write(rows(*(f"0000-01-{day:02d},{day % 3}" for day in range(1, 8))))
    assert "0000-01-01 … 0000-01-07" in report_table(load_series(path))


def test_text_in_the_place_of_the_time_is_refused(write: WriteFile) -> None:
    path = write(rows("Jan 1 2020,1", "Jan 2 2020,3", "Jan 3 2020,2", "Jan 4 2020,2"))
    assert "line 2, column 'time': 'Jan 1 2020' is not read as a time; --time-format" in refused(
        path
    )
    table = load_series(path, ReadOptions(time_format="%b %d %Y"))
    assert table.step == "1 day"
    assert load_series(path, roles=SeriesRoles(targets=("a",))).step is None


def test_numbers_beyond_float32_are_refused(write: WriteFile) -> None:
    path = write(daily("1", "2", "-4e38", "5"))
    assert "line 4, column 'a': -4e38 is beyond float32" in refused(path)


METER = [0, 0.25, 1, 1.75, 2, 2.5, 3.25]


@pytest.mark.parametrize("offset", [12345678, -1e9])
def test_values_far_larger_than_their_changes_are_refused(write: WriteFile, offset: float) -> None:
    """Float32 has whole numbers alone there, or every 64th."""
    message = refused(write(daily(*(offset + value for value in METER))))
    assert "column 'a': " in message
    assert "is too large for what the column changes by" in message
    assert "steps from row to row vary by 0.224" in message


def test_values_that_float32_rounds_to_nothing_are_refused(write: WriteFile) -> None:
    message = refused(write(daily(*(f"{value}e-46" for value in METER))))
    assert "3.25e-46 is too small" in message
    assert message.endswith("use a smaller unit")


@pytest.mark.parametrize("roles", [None, SeriesRoles(targets=("b",), inputs=("a",))])
def test_values_are_not_too_large_where_steps_are_or_nothing_is_forecast(
    write: WriteFile, roles: SeriesRoles | None
) -> None:
    scale = 1 if roles else 1000
    cells = [f"{12345678 + scale * value},{value}" for value in METER]
    load_series(write(daily(*cells, header="time,a,b")), roles=roles)


def test_the_ends_of_a_narrow_range_can_be_told_apart(write: WriteFile) -> None:
    path = write(daily("100001.5,1", "100003.5,2", "100002,3", "100001.5,5", header="time,a,b"))
    assert "100001.5 … 100003.5" in report_table(load_series(path))


def test_a_table_cut_by_spaces_is_refused_with_the_way_out(write: WriteFile) -> None:
    path = write("day a\nx 1\ny 2\n")
    assert refused(path).endswith("where spaces separate cells: --delimiter ' '")


def test_targets_that_never_change_in_a_series_are_counted(write: WriteFile) -> None:
    cells = [
        f"{day},{name},{5 if name == 'x' else at}"
        for name in "xy"
        for at, day in enumerate(DAYS[:5])
    ]
    table = load_series(write(rows(*cells, header="time,s,a")), roles=SeriesRoles(series="s"))
    assert why(table, "a").endswith("never changes in 1 of 2 series")


def test_more_digits_than_a_float_holds_are_refused(write: WriteFile) -> None:
    path = write(daily("12345678901234567", "2", "3", "5"))
    assert "line 2, column 'a': 12345678901234567 has more digits" in refused(path)


SHUFFLED = rows("2020-01-02,2", "2020-01-01,1", "2020-01-03,5", "2020-01-04,3")
DOUBLED = rows("2020-01-01,1", "2020-01-02,2", "2020-01-02,6", "2020-01-03,5", "2020-01-04,3")
GAPPY = rows("2020-01-01,1", "2020-01-02,2", "2020-01-03,5", "2020-01-06,3", "2020-01-07,4")
HOLES = daily(1, "", "NA", 4, 2)
SPIKE = daily(*[at % 5 for at in range(30)], 999)
STILL = daily("1,5", "2,5", "4,5", "3,5", header="time,a,b")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (SHUFFLED, "line 3: 2020-01-01 comes after 2020-01-02; rows that go back in time: 1; "),
        (DOUBLED, "line 4: 2020-01-02 again, as in line 3; 1 duplicate; --duplicates first, last"),
        (GAPPY, "line 5: 2020-01-06 follows 2020-01-03, and the step is 1 day; 1 gap; --gaps m"),
        (HOLES, "line 3, column 'a': missing value (2 in all); --missing last or --missing forec"),
        (STILL, "column 'b': always 5 (such columns: 1); --constant drop"),
        (daily(1, 2), "the series has 2 rows, at least 4 are needed"),
        (rows("2020-01-01,1", ",3", "2020-01-03,2"),
         "line 3, column 'time': no time (rows without one: 1)"),
        (rows("2020-01-01,1", "2020-01-02,2", "2020-01-04,5", "2020-01-08,3"),
         "line 3: no distance in time is that of more than half of the rows; --gaps keep"),
        (rows("2020-01-01 00:00,1", "2020-01-01 01:00,2", "2020-01-01 02:00,5",
              "2020-01-01 03:00,5", "2020-01-01 04:30,3"),
         "line 6: 2020-01-01 04:30:00 is no whole number of steps (1 hour) after 2020-01-01 03"),
    ],
)  # fmt: skip
def test_faults_of_rows_are_refused_by_line(write: WriteFile, content: str, message: str) -> None:
    assert message in refused(write(content))


@pytest.mark.parametrize(
    ("content", "repairs", "expected", "said"),
    [
        (SHUFFLED, Repairs(order="sort"), [1, 2, 5, 3], "rows that went back in time, sorted: 1"),
        (DOUBLED, Repairs(duplicates="first"), [1, 2, 5, 3], "duplicate times, first taken: 1"),
        (DOUBLED, Repairs(duplicates="last"), [1, 6, 5, 3], "duplicate times, last taken: 1"),
        (DOUBLED, Repairs(duplicates="mean"), [1, 4, 5, 3], "duplicate times, mean taken: 1"),
        (GAPPY, Repairs(gaps="keep"), [1, 2, 5, 3, 4],
         "gaps in time, the rows taken as evenly spaced: 1"),
        (GAPPY, Repairs(gaps="missing", missing="last"), [1, 2, 5, NAN, NAN, 3, 4],
         "rows of missing values put into gaps: 2"),
        (SPIKE, Repairs(outliers="missing", missing="last"), [*(at % 5 for at in range(30)), NAN],
         "outliers made missing: 1"),
        (STILL, Repairs(constant="drop"), [1, 2, 4, 3], "columns that never change, left out: 1"),
    ],
)  # fmt: skip
def test_repairs_do_what_was_asked_and_say_so(
    write: WriteFile, content: str, repairs: Repairs, expected: list[float], said: str
) -> None:
    table = load_series(write(content), repairs=repairs)
    np.testing.assert_array_equal(table.series[0].values[:, 0], expected)
    assert table.source.description == f"table.csv ({said})"
    assert said in table.notes
    assert table.targets == ("a",)


@pytest.mark.parametrize(
    ("content", "repairs", "expected"),
    [
        (HOLES, Repairs(missing="forecast"), [1, NAN, NAN, 4, 2]),
        (SPIKE, Repairs(), [*(at % 5 for at in range(30)), 999]),
    ],
)
def test_what_is_kept_is_no_change(
    write: WriteFile, content: str, repairs: Repairs, expected: list[float]
) -> None:
    table = load_series(write(content), repairs=repairs)
    np.testing.assert_array_equal(table.series[0].values[:, 0], expected)
    assert (table.source.description, table.notes) == ("table.csv", ())


def test_rows_put_into_gaps_have_times_and_no_lines(write: WriteFile) -> None:
    [series] = load_series(write(GAPPY), repairs=Repairs(gaps="missing", missing="last")).series
    assert series.lines.tolist() == [2, 3, 4, 0, 0, 5, 6]
    assert series.times is not None
    assert [str(moment)[:10] for moment in series.times] == DAYS[:7]


def test_gaps_need_a_way_to_train_with_missing_values(write: WriteFile) -> None:
    message = refused(write(GAPPY), repairs=Repairs(gaps="missing"))
    assert "a row put into a gap, column 'a': missing value (2 in all)" in message


def test_a_gap_that_would_make_millions_of_rows_is_refused(write: WriteFile) -> None:
    content = daily(1, 2, 3, 5) + "9020-01-01,4\n"
    message = refused(write(content), repairs=Repairs(gaps="missing", missing="last"))
    assert "line 6: --gaps missing would make 2556" in message


def test_outliers_are_reported_with_the_worst(write: WriteFile) -> None:
    table = load_series(write(SPIKE))
    assert why(table, "a").endswith(
        "a column of numbers; outliers: 1, the worst 999 in line 32; 999 (1 row) looks like a code "
        "for no value"
    )


BLANKED = Repairs(outliers="missing", missing="last")
WAVE = [20 + (7 * at) % 11 for at in range(30)]


@pytest.mark.parametrize(
    ("values", "told", "kept"),
    [
        ([*WAVE, *[-99] * 3], "-99 (3 rows) looks like a code", 30),
        ([*WAVE, *[99.9] * 20, 500], "outliers: 21, the worst 500 in line 52; 99.9 (20 rows)", 30),
        ([*WAVE, *[32767] * 4], "32767 (4 rows) looks like a code", 30),
        ([*(3 * at for at in WAVE), *[61, 99] * 3], "", 36),
        ([*WAVE, *[-15] * 3], "", 33),
        ([*WAVE, *[900 + at for at in range(5)]], "", 35),
        ([5, 6] * 15 + [9.9], "outliers: 1", 30),
        ([5] * 30 + [99, 5, 999], "", 33),
    ],
    ids=["-99", "many and a spike", "16 bits", "within", "no code", "on and off", "one", "still"],
)
def test_codes_for_no_value_are_outliers_and_a_second_state_is_none(
    write: WriteFile, values: list[float], told: str, kept: int
) -> None:
    path = write(daily(*values))
    assert told in why(load_series(path), "a")
    assert ("outliers" in why(load_series(path), "a")) == bool(told)
    [series] = load_series(path, repairs=BLANKED).series
    assert int((~np.isnan(series.values)).sum()) == kept


def test_outliers_are_told_by_the_rows_for_training(write: WriteFile) -> None:
    """The level changes behind the first half: only seen from there is the second far off."""
    path = write(daily(*[at % 5 for at in range(20)], *[100 + at % 5 for at in range(20)]))
    half = load_series(path, repairs=BLANKED, training=lambda _: [20])
    assert np.flatnonzero(np.isnan(half.series[0].values[:, 0])).tolist() == [*range(20, 40)]
    whole = load_series(path, repairs=BLANKED, training=lambda _: [40])
    assert not np.isnan(whole.series[0].values).any()


def test_a_series_without_rows_for_training_has_no_outliers(write: WriteFile) -> None:
    cells = [f"{day},{name},{at % 5}" for name in "xy" for at, day in enumerate(DAYS[:9])]
    cells += [f"{DAYS[9]},x,999", f"{DAYS[9]},y,999"]
    path = write(rows(*cells, header="time,s,a"))
    table = load_series(
        path, roles=SeriesRoles(series="s"), repairs=BLANKED, training=lambda _: [9, 0]
    )
    assert [int(np.isnan(one.values).sum()) for one in table.series] == [1, 0]


def test_dropping_all_targets_is_refused(write: WriteFile) -> None:
    path = write(daily(5, 5, 5, 5))
    assert "leaves no target" in refused(path, repairs=Repairs(constant="drop"))


@pytest.mark.parametrize(
    ("times", "step"),
    [
        (["2020-01-31", "2020-02-29", "2020-03-31", "2020-04-30"], "1 month"),
        (["2019-12-01", "2020-03-01", "2020-06-01", "2020-09-01"], "3 months"),
        (["2017-01-01", "2018-01-01", "2019-01-01", "2020-01-01", "2021-01-01"], "1 year"),
        (["2020-01-06", "2020-01-13", "2020-01-20", "2020-01-27"], "1 week"),
    ],
)
def test_months_and_years_are_regular(write: WriteFile, times: list[str], step: str) -> None:
    path = write(rows(*(f"{time},{at % 3}" for at, time in enumerate(times))))
    assert load_series(path).step == step


def test_a_gap_in_months_is_found_and_filled_at_the_ends_of_months(write: WriteFile) -> None:
    times = ["2020-01-31", "2020-02-29", "2020-03-31", "2020-05-31", "2020-06-30"]
    path = write(rows(*(f"{time},{at % 3}" for at, time in enumerate(times))))
    assert "line 5: 2020-05-31 follows 2020-03-31, and the step is 1 month" in refused(path)
    [series] = load_series(path, repairs=Repairs(gaps="missing", missing="last")).series
    assert series.times is not None
    assert str(series.times[3])[:10] == "2020-04-30"


def test_a_clock_that_is_put_back_shows_as_a_duplicate(write: WriteFile) -> None:
    hours = ["00:00", "01:00", "02:00", "02:00", "03:00", "04:00"]
    path = write(rows(*(f"2020-10-25 {hour},{at % 4}" for at, hour in enumerate(hours))))
    assert "line 5: 2020-10-25 02:00:00 again, as in line 4" in refused(path)


def test_faults_name_the_series(write: WriteFile) -> None:
    cells = [f"{day},{name},{at % 3}" for name in "xy" for at, day in enumerate(DAYS[:5])]
    cells[7], cells[8] = cells[8], cells[7]
    path = write(rows(*cells, header="time,s,a"))
    message = refused(path, SeriesRoles(series="s"))
    assert "line 10, series 'y': 2020-01-03 comes after 2020-01-04" in message


def test_short_series_can_be_left_out(write: WriteFile) -> None:
    cells = [f"{day},x,{at % 3}" for at, day in enumerate(DAYS[:5])] + [f"{DAYS[0]},y,1"]
    path = write(rows(*cells, header="time,s,a"))
    roles = SeriesRoles(series="s")
    message = refused(path, roles)
    assert (
        "line 7, series 'y': the series has 1 row, at least 4 are needed (1 of 2 series have"
        in message
    )
    table = load_series(path, roles=roles, repairs=Repairs(short="drop"))
    assert [series.name for series in table.series] == ["x"]
    assert "series of too few rows left out: 1" in table.notes


def test_rows_of_one_time_do_not_make_a_series_long_enough(write: WriteFile) -> None:
    path = write(
        rows(*(f"{day},{at + 0.5}" for at, day in enumerate(sorted([*DAYS[:3], *DAYS[:3]]))))
    )
    message = refused(path, repairs=Repairs(duplicates="first"))
    assert "the series has 3 rows, at least 4 are needed" in message


def test_a_row_without_an_id_is_refused(write: WriteFile) -> None:
    cells = [f"{day},{'x' if at != 2 else ''},{at % 3}" for at, day in enumerate(DAYS[:5])]
    path = write(rows(*cells, header="time,s,a"))
    assert "line 4, column 's': no id of a series (rows without one: 1)" in refused(
        path, SeriesRoles(series="s")
    )


def test_an_id_that_comes_back_without_a_time_is_told(write: WriteFile) -> None:
    cells = [f"{name},{at * at % 7}" for name in "xyx" for at in range(5)]
    table = load_series(write(rows(*cells, header="s,a")), roles=SeriesRoles(series="s"))
    assert [len(one.lines) for one in table.series] == [10, 5]
    assert table.notes[1] == (
        "rows of one series that stand apart in the file are one sequence all the same (such "
        "series: 1): 'x' begins in line 2 and goes on in line 12"
    )
    apart = load_series(write(rows(*cells[:10], header="s,a")), roles=SeriesRoles(series="s"))
    assert len(apart.notes) == 1


def test_ids_of_one_whole_number_are_one_series(write: WriteFile) -> None:
    cells = [f"{day},{name}{'.0' * (at % 2)},{at % 3}" for name in (7, 8)
             for at, day in enumerate(DAYS[:6])]  # fmt: skip
    table = load_series(write(rows(*cells, header="time,s,a")), roles=SeriesRoles(series="s"))
    assert [(one.name, len(one.lines)) for one in table.series] == [("7", 6), ("8", 6)]
    assert "such as '7.0' and '7' (such rows: 6)" in table.notes[0]
    path = write(rows(*cells, f"{DAYS[6]},nan,1", header="time,s,a"))
    assert "line 14, column 's': 'nan' stands for a missing value, so that there is no id" in (
        refused(path, SeriesRoles(series="s"))
    )


def test_the_report_fits_a_terminal_and_names_every_column(write: WriteFile) -> None:
    long = "a very long name of a column that nobody would write"
    path = write(daily("5,x,2,", "3,y,9,", "4,z,1,", "1,z,1,", header=f"time,{long},t,b,e"))
    lines = report_table(load_series(path)).splitlines()
    assert max(map(len, lines)) <= 100
    for start in ("time ", "a very long name of…", "t ", "b ", "e "):
        assert any(line.startswith(start) for line in lines), start


@given(st.lists(st.integers(0, 10**6), min_size=4, max_size=20, unique=True))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_sorting_restores_any_order(write: WriteFile, seconds: list[int]) -> None:
    """And every value keeps the line where it stood."""
    start = np.datetime64("2020-01-01T00:00:00")
    content = rows(*(f"{start + second},{second}.5" for second in seconds))
    table = load_series(write(content), repairs=Repairs(order="sort", gaps="keep"))
    [series] = table.series
    assert series.values[:, 0].tolist() == [second + 0.5 for second in sorted(seconds)]
    assert [seconds[line - 2] for line in series.lines] == sorted(seconds)
