"""Tables as they are found, through the real command: refused with the place and the way out.

Each is then read with what the message advises.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from model_export.command_line import main

DAYS = [f"2020-01-{day:02}" for day in range(1, 31)]
LEVELS = [f"{level:.3f}" for level in np.random.default_rng(0).uniform(20, 21, len(DAYS))]
ROWS = [f"{day},{level}" for day, level in zip(DAYS, LEVELS, strict=True)]
QUICK = ("--hidden-size", "2", "--epochs", "1", "--batch-size", "2")


def table(rows: Iterable[str], header: str = "time,level") -> str:
    return "\n".join([header, *rows]) + "\n"


def grouped(sign: str, separator: str) -> list[str]:
    """Cells like 1,295: a thousand and more, or one and a bit."""
    digits = np.random.default_rng(0).integers(100, 1000, len(DAYS))
    numbers = [f"1{sign}{three}" for three in digits]
    quoted = [f'"{number}"' for number in numbers]
    return [f"{day}{separator}{cell}" for day, cell in zip(DAYS, quoted, strict=True)]


def stacked() -> list[str]:
    return [f"{station},{row}" for station in (101, 102) for row in ROWS]


@dataclass(frozen=True)
class Case:
    """A file, how it is refused, and what is read with each of the options that are advised."""

    name: str
    text: str
    place: str
    message: str
    ways_out: tuple[tuple[tuple[str, ...], str], ...]
    task: str = "forecast"

    def __str__(self) -> str:
        return self.name


CASES = [
    Case(
        "the first cell is empty",
        table([f"{DAYS[0]},", *ROWS[1:]]),
        ", line 2, column 'level'",
        "missing value (1 in all); --missing last or --missing forecast trains with missing",
        (
            (("--missing", "last"), "30 rows, 1 day apart"),
            (("--missing", "forecast"), "30 rows, 1 day apart"),
        ),
    ),
    Case(
        "commas between thousands",
        table(grouped(",", ",")),
        ", line 2, column 'level'",
        "(--decimal .) or 1.",
        (
            (("--decimal", "."), "level   target  whole number  1"),
            (("--decimal", ","), "level   target  number  1."),
        ),
    ),
    Case(
        "points between thousands",
        table(grouped(".", ";"), "time;level"),
        ", line 2, column 'level'",
        "(--decimal .) or 1",
        ((("--decimal", ","), "number  1"), (("--decimal", "."), "number  1.")),
    ),
    Case(
        "rows out of order",
        table([*ROWS[:5], ROWS[9], *ROWS[5:9], *ROWS[10:]]),
        ", line 8",
        "2020-01-06 comes after 2020-01-10; rows that go back in time: 1; --order sort",
        ((("--order", "sort"), "30 rows, 1 day apart"),),
    ),
    Case(
        "a time twice",
        table([*ROWS[:5], f"{DAYS[4]},99", *ROWS[5:]]),
        ", line 7",
        "2020-01-05 again, as in line 6; 1 duplicate; --duplicates first, last or mean",
        (
            (("--duplicates", "first"), "duplicate times, first taken: 1"),
            (("--duplicates", "last"), "duplicate times, last taken: 1"),
            (("--duplicates", "mean"), "duplicate times, mean taken: 1"),
        ),
    ),
    Case(
        "a name twice",
        table([f"{row},{level}" for row, level in zip(ROWS, LEVELS, strict=True)], "time,a,a"),
        ", line 1",
        "columns 2 and 3 are both named 'a'; rename one of them",
        (),
    ),
    Case(
        "numbers of stations",
        table(stacked(), "station,time,level"),
        "",
        "column 'station' (2 values: '101', '102', …) looks like the id of several series, for its "
        "values come in blocks: --series station, or name it in --targets, --known or --inputs",
        ((("--series", "station"), "2 series of 30 rows, 1 day apart"),),
    ),
    Case(
        "stations side by side",
        table(sorted(stacked(), key=lambda row: row[4:]), "station,time,level"),
        "",
        "looks like the id of several series, for every time comes once for each of its values: "
        "--series station",
        ((("--series", "station"), "2 series of 30 rows, 1 day apart"),),
    ),
    Case(
        "no header",
        table(ROWS[1:], ROWS[0]),
        ", line 1",
        "the first row looks like data ('2020-01-01'), not like names of columns; --no-header "
        "reads it as data",
        ((("--no-header",), "30 rows, 1 day apart"),),
    ),
    Case(
        "no header and no times",
        table(LEVELS[1:], LEVELS[0]),
        ", line 1",
        "--no-header reads it as data, --header as names",
        ((("--no-header",), "30 rows"), (("--header",), "29 rows")),
    ),
    Case(
        "words among numbers",
        table([f"{row},{'off' if at % 2 else at}" for at, row in enumerate(ROWS)], "time,level,on"),
        ", line 3, column 'on'",
        "'off' is not a finite number, and 15 of 30 cells are; correct it or leave it empty; or "
        "choose columns with --targets",
        ((("--targets", "level"), "30 rows, 1 day apart"),),
    ),
    Case(
        "days left out",
        table([*ROWS[:7], *ROWS[9:]]),
        ", line 9",
        "--gaps",
        (
            (("--gaps", "missing", "--missing", "last"), "30 rows, 1 day apart"),
            (("--gaps", "keep"), "28 rows"),
        ),
    ),
    Case(
        "days and months of events that can change places",
        table(
            [f"{at // 2},0{1 + at % 2}/0{1 + at % 9}/2020,{at % 3}" for at in range(30)],
            "session,time,item",
        ),
        ", line 2, column 'time'",
        "days and months cannot be told apart; --time-format %d/%m/%Y or %m/%d/%Y says which",
        (
            (("--time-format", "%d/%m/%Y"), "2020-01-01 … 2020-09-02"),
            (("--time-format", "%m/%d/%Y"), "2020-01-01 … 2020-02-09"),
        ),
        task="events",
    ),
    Case(
        "events with commas between thousands of their counts",
        table([f'{at // 2},"1,{100 + at}",{at % 3}' for at in range(30)], "session,time,item"),
        ", line 2, column 'time'",
        "'1,100' may be 1100 (--decimal .) or 1.1 (--decimal ,)",
        (
            (("--decimal", "."), "1100 … 1129"),
            (("--thousands", ","), "1100 … 1129"),
            (("--decimal", ","), "1.1 … 1.129"),
        ),
        task="events",
    ),
    Case(
        "a missing value of a labelled sequence",
        table(
            [
                f"{at // 3},{level if at else ''},{'ab'[at // 3 % 2]}"
                for at, level in enumerate(LEVELS * 3)
            ],
            "series,level,label",
        ),
        ", line 2, series '0', column 'level'",
        "missing value (1 in all); --missing last trains with missing values",
        ((("--missing", "last"), "of 30 sequences, by their names"),),
        task="classify",
    ),
]


def train(file: Path, *options: str, task: str = "forecast") -> Result:
    folder = file.parent
    steps = ("--time-steps", "4") if task == "forecast" else ()
    places = ("--runs", str(folder / "runs"), "--repository", str(folder / "models"))
    command = ("train", task, "--data", str(file), "--name", "x", *QUICK, *steps, *places)
    return CliRunner().invoke(main, [*command, *options])


@pytest.fixture(params=CASES, ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest.fixture
def file(case: Case, tmp_path: Path) -> Path:
    path = tmp_path / "log.csv"
    path.write_text(case.text, "utf-8")
    return path


def test_it_is_refused_by_its_place_and_nothing_is_made(case: Case, file: Path) -> None:
    result = train(file, task=case.task)
    assert result.exit_code == 1, result.output
    [line] = result.stderr.splitlines()
    assert line.startswith(f"Error: {file}{case.place}: ")
    assert case.message in line
    assert result.stdout == ""
    assert [path.name for path in file.parent.iterdir()] == ["log.csv"]


def test_what_is_advised_helps(case: Case, file: Path) -> None:
    for options, said in case.ways_out:
        result = train(file, *options, "--dry-run", task=case.task)
        assert result.exit_code == 0, result.output
        assert said in result.stdout, options
        assert [path.name for path in file.parent.iterdir()] == ["log.csv"]


def test_thousands_that_can_be_nothing_else_are_read(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    rows = [f"{day};1.000.{200 + at * at},5" for at, day in enumerate(DAYS[:25])]
    path.write_text(table(rows, "time;level"), "utf-8")
    result = train(path, "--dry-run")
    assert result.exit_code == 0, result.output
    assert "1000200 … 1000776" in result.stdout


def test_a_column_that_counts_rows_is_no_target_unless_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    rows = [f"{day},{at}" for at, day in enumerate(DAYS)]
    path.write_text(table(rows), "utf-8")
    result = train(path, "--dry-run")
    assert result.exit_code == 1
    assert "'level' rises by the same amount in every row; --targets takes it" in result.stderr
