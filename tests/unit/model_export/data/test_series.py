"""From a file to series: roles and what can be learnt from, refused by line or column."""

import numpy as np
import pytest

from model_export.data.frame import ReadOptions
from model_export.data.series import (
    Repairs,
    SeriesRoles,
    load_series,
    report_table,
)
from tests.unit.model_export.data.conftest import WriteFile
from tests.unit.model_export.data.tables import DAYS, daily, only, refused, rows, why


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


def test_faults_name_the_series(write: WriteFile) -> None:
    cells = [f"{day},{name},{at % 3}" for name in "xy" for at, day in enumerate(DAYS[:5])]
    cells[7], cells[8] = cells[8], cells[7]
    path = write(rows(*cells, header="time,s,a"))
    message = refused(path, SeriesRoles(series="s"))
    assert "line 10, series 'y': 2020-01-03 comes after 2020-01-04" in message


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
