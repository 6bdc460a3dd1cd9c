"""Rows that are checked, and repaired or refused by their line."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model_export.data.series import (
    Repairs,
    SeriesRoles,
    load_series,
)
from tests.unit.model_export.data.conftest import WriteFile
from tests.unit.model_export.data.tables import DAYS, NAN, daily, refused, rows, why

SHUFFLED = rows("2020-01-02,2", "2020-01-01,1", "2020-01-03,5", "2020-01-04,3")
DOUBLED = rows("2020-01-01,1", "2020-01-02,2", "2020-01-02,6", "2020-01-03,5", "2020-01-04,3")
GAPPY = rows("2020-01-01,1", "2020-01-02,2", "2020-01-03,5", "2020-01-06,3", "2020-01-07,4")
HOLES = daily(1, "", "NA", 4, 2)
SPIKE = daily(*[at % 5 for at in range(30)], 999)
STILL = daily("1,5", "2,5", "4,5", "3,5", header="time,a,b")
BLANKED = Repairs(outliers="missing", missing="last")
WAVE = [20 + (7 * at) % 11 for at in range(30)]


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
