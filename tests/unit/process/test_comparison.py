"""Data that two versions are compared on, and what is said of each kind of output."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from service.errors import InvalidInput
from service.process.comparison import compare_versions
from tests.new_kinds import CLASSES, LEVELS, NOTES

HEAD = "temperature,pressure,humidity\n"
NAN, ROW = float("nan"), [20.0, 1000.0, 0.5]


def refused(model: Path, data: Path) -> str:
    with pytest.raises(InvalidInput) as raised:
        compare_versions(model, 1, 1, data)
    return str(raised.value)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "data.csv"


@pytest.mark.parametrize("model", ["gaps", "classes"])
@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("20,1000,0.5\n21,1001\n", "data.csv.line 3: it has 2 cells, the head has 3"),
        ("20,1000,0.5,7\n", "data.csv.line 2: it has 4 cells, the head has 3"),
        ("20,1000,0.5\n\n21,1001,0.4\n", "data.csv.line 3: it has 0 cells, the head has 3"),
        ("", "data.csv: the sequence is empty"),
    ],
)
def test_lines_that_are_not_as_the_head(
    new_kinds: Path, table: Path, model: str, lines: str, said: str
) -> None:
    table.write_text(HEAD + lines)
    assert said in refused(new_kinds / model, table)


def test_a_line_that_holds_a_break_is_counted_by_its_end(new_kinds: Path, table: Path) -> None:
    table.write_text('note,temperature,pressure,humidity\n"a\nb",20,1000,0.5\nc,21,1001\n')
    assert "data.csv.line 4:" in refused(new_kinds / "gaps", table)


def test_missing_values_and_an_empty_last_line(new_kinds: Path, table: Path) -> None:
    table.write_text(f"{HEAD}20,,0.5\n21,1001,0.4\n\n")
    found = compare_versions(new_kinds / "gaps", 1, 1, table)
    assert [one.output for one in found if one.inputs == "data.csv"] == HEAD.strip().split(",")
    assert "data.csv.line 2.pressure: '' is not a number" in refused(new_kinds / "classes", table)


@pytest.mark.parametrize(
    ("model", "array", "said"),
    [
        ("gaps", np.zeros((0, 3)), "the sequence is empty"),
        ("gaps", np.zeros((1, 0, 3)), "the sequence is empty"),
        ("classes", np.zeros((0, 3)), "the sequence is empty"),
        ("classes", np.array([[20.0, NAN, 0.5]]), "trained without missing values"),
        ("classes", np.array([[True, True, True]]), "valid number"),
        ("gaps", np.array([["1", "2", "3"]]), "valid number"),
        ("items", np.zeros(0, np.int64), "the sequence is empty"),
        ("items", np.array([1.0, NAN]), "integers; found an array of float64"),
        ("items", np.array([1.0, 2.0], np.float32), "integers; found an array of float32"),
        ("items", np.array([3, 10]), "less than 10"),
    ],
)
def test_arrays_that_are_no_sequences(
    new_kinds: Path, tmp_path: Path, model: str, array: NDArray[Any], said: str
) -> None:
    data = tmp_path / "data.npz"
    np.savez(data, input=array)
    message = refused(new_kinds / model, data)
    assert message.startswith("data.npz.input.0")
    assert said in message


@pytest.mark.parametrize(
    ("model", "array", "outputs"),
    [
        ("labels", np.eye(3), list(NOTES)),
        ("classes", np.array([ROW, ROW], np.float32), list(CLASSES)),
        ("quantiles", np.array([[20, 1000, 1]]), [f"temperature {level}" for level in LEVELS]),
        ("gaps", np.array([[NAN, 1000, 0.5]]), ["temperature", "pressure", "humidity"]),
        ("items", np.array([3, 1], np.uint8), ["probabilities"]),
    ],
)
def test_outputs_are_compared_by_name(
    new_kinds: Path, tmp_path: Path, model: str, array: NDArray[Any], outputs: list[str]
) -> None:
    data = tmp_path / "data.npz"
    np.savez(data, input=array)
    found = compare_versions(new_kinds / model, 1, 1, data)
    assert [one.output for one in found if one.inputs == "data.npz"] == outputs
    assert all(one.largest == 0 for one in found), "a version differs from itself"
