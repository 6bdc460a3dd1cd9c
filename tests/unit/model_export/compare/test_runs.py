"""The file of finished runs."""

import math
from pathlib import Path

import pytest

from model_export.compare.runs import Run, RunFile, RunSpec
from model_export.errors import DataError

SPEC = RunSpec(
    problem="adding",
    length=5,
    cell="lstm",
    hidden_size=4,
    learning_rate=0.01,
    seed=0,
    steps=10,
    batch_size=8,
    keep_bias=1.0,
)


def finished(spec: RunSpec, test_error: float = 0.25) -> Run:
    return Run(
        spec=spec,
        parameters=9,
        curve=((5, 0.5), (10, 0.3)),
        solved_at=None,
        diverged=False,
        test_error=test_error,
        step_seconds=0.001,
        gradients_at_start=(1.0, 0.5),
        gradients_when_trained=(1.0, 0.1),
    )


def test_what_is_appended_is_read(tmp_path: Path) -> None:
    file = RunFile(tmp_path / "runs.jsonl")
    assert file.read() == {}
    runs = [finished(SPEC, math.inf), finished(SPEC.model_copy(update={"seed": 1}))]
    for run in runs:
        file.append(run)
    assert list(RunFile(tmp_path / "runs.jsonl").read().values()) == runs


def test_a_line_that_was_cut_off_is_done_again(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    file = RunFile(path)
    file.append(finished(SPEC))
    whole = path.read_bytes()
    second = finished(SPEC.model_copy(update={"seed": 1}))
    file.append(second)
    path.write_bytes(path.read_bytes()[:-20])
    assert list(file.read()) == [SPEC]
    assert path.read_bytes() == whole
    file.append(second)
    assert list(file.read()) == [SPEC, second.spec]


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    RunFile(path).append(finished(SPEC))
    line = path.read_text()
    damaged = line + line.replace('"lstm"', '"perceptron"') + line
    path.write_text(damaged)
    with pytest.raises(DataError, match=r"runs\.jsonl, line 2, spec\.cell: .*another --out"):
        RunFile(path).read()
    assert path.read_text() == damaged


def test_runs_that_differ_in_anything_have_different_names() -> None:
    changes: list[dict[str, float]] = [
        {},
        {"steps": 11},
        {"keep_bias": 0.0},
        {"learning_rate": 0.1},
        {"seed": 1},
    ]
    names = {SPEC.model_copy(update=change).name for change in changes}
    assert len(names) == len(changes)
