"""Rows, as a table, as JSON and as a picture."""

import json
from pathlib import Path

import pytest

from benchmarks.tools.machine import Machine, processor
from benchmarks.tools.picture import draw
from benchmarks.tools.row import Row, Sense, Series, compared, left_out, ratios
from benchmarks.tools.table import shown, text, write

FAST = Row("fast", [0.5, 0.4, 0.9], 0.45, "at least", figures={"durable, requests/s": 20578.1})
SLOW = Row("slow", [2.5], 1.5, "at most", "s")
NOTHING = Row("nothing", [0.0], 1, "at most", "%")
UNKNOWN = left_out("unknown", 3, "at least", "not installed")
MACHINE = Machine("a processor", 2, "Linux 6", "Python 3.11", {"numpy": "2"})


@pytest.mark.parametrize(
    ("value", "sense", "met"),
    [
        (3.0, "at least", True),
        (2.9, "at least", False),
        (3.0, "at most", True),
        (3.1, "at most", False),
    ],
)
def test_a_target_is_met_from_its_own_side(value: float, sense: Sense, met: bool) -> None:
    assert Row("row", [value], 3, sense).met is met


def test_the_figure_is_the_median_of_the_rounds() -> None:
    assert FAST.value == 0.5
    assert UNKNOWN.value is None
    assert UNKNOWN.met is None


def test_ratios_are_taken_within_rounds() -> None:
    assert ratios([10, 4], [20, 2]) == [0.5, 2]


def test_a_comparison_names_what_it_is_made_of() -> None:
    row = compared(
        "a / b", Series("a, µs", [3.0, 8.0, 9.0]), Series("b, µs", [1.0, 2.0, 3.0]), 3, "at most"
    )
    assert row.values == [3, 4, 3]
    assert row.figures == {"a, µs": 8, "b, µs": 2}
    assert row.met is True


def test_nothing_of_what_should_be_little_meets_every_target() -> None:
    assert NOTHING.met is True


def test_the_table_names_figure_target_and_reason() -> None:
    lines = text([FAST, SLOW, UNKNOWN]).splitlines()
    assert [" ".join(line.split()) for line in lines] == [
        "what figure target made of",
        "fast 0.50 ≥ 0.45 met durable, requests/s 20,578",
        "slow 2.50 s ≤ 1.50 s NOT MET",
        "unknown – ≥ 3.00 not measured not installed",
    ]


@pytest.mark.parametrize(
    ("value", "text"), [(0.4567, "0.46"), (12.345, "12.3"), (456.7, "457"), (150000.0, "150,000")]
)
def test_figures_have_three_digits(value: float, text: str) -> None:
    assert shown(value) == text


def test_json_has_every_round_and_the_machine(tmp_path: Path) -> None:
    file = tmp_path / "new" / "bench.json"
    write([FAST, UNKNOWN], MACHINE, file)
    document = json.loads(file.read_text("utf-8"))
    assert document["machine"]["processor"] == "a processor"
    fast, unknown = document["rows"]
    assert fast["rounds"] == [0.5, 0.4, 0.9]
    assert (fast["value"], fast["met"]) == (0.5, True)
    assert (unknown["value"], unknown["met"], unknown["note"]) == (None, None, "not installed")


def test_the_picture_has_what_was_measured_and_stays_the_same(tmp_path: Path) -> None:
    first, second = tmp_path / "first.svg", tmp_path / "second.svg"
    for file in (first, second):
        draw([FAST, SLOW, NOTHING, UNKNOWN], file)
    drawn = first.read_text("utf-8")
    assert ">fast<" in drawn
    assert ">slow<" in drawn
    assert ">nothing<" in drawn
    assert "unknown" not in drawn
    assert first.read_bytes() == second.read_bytes()


def test_the_processor_is_named_as_linux_names_it() -> None:
    assert processor("processor\t: 0\nmodel name\t: A: B\nflags\t: x\n") == "A: B"
    assert processor("processor\t: 0\n")
