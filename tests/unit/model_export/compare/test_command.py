"""`python -m model_export compare`, end to end."""

import csv
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from model_export.command_line import main

TINY = ["--budget", "quick", "--lengths", "3", "--seeds", "1", "--steps", "2", "--hidden-size", "2"]


def compare(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["compare", "--out", str(folder), *arguments])


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "runs.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_it_writes_tables_pictures_and_runs_and_resumes(tmp_path: Path) -> None:
    folder = tmp_path / "compare"
    result = compare(folder, *TINY, "--problems", "copy,co2")
    assert result.exit_code == 0, result.output
    pictures = {
        f"{kind}-{name}.svg" for kind in ("errors", "gradients") for name in ("copy", "co2")
    }
    pictures |= {"solved.svg", "trace-co2.svg"}
    files = {path.name for path in folder.iterdir()}
    assert files == {"runs.jsonl", "weights", "runs.csv", "table.md", "traces.md", *pictures}
    drawn = {name: (folder / name).read_bytes() for name in pictures}
    assert all(1000 < len(content) < 150_000 for content in drawn.values())
    assert "follows the season best" in (folder / "traces.md").read_text("utf-8")
    table = (folder / "table.md").read_text("utf-8")
    assert "## Copy memory" in table
    assert "| 3 | GRU, reset before | 2 |" in table
    lines = (folder / "runs.jsonl").read_text().splitlines()
    rows = rows_of(folder)
    assert len(rows) == len(lines)
    assert {row["cell"] for row in rows} == {"rnn", "lstm", "gru_before", "gru_after"}

    again = compare(folder, *TINY, "--problems", "copy")
    assert again.exit_code == 0, again.output
    copies = [row for row in rows if row["problem"] == "copy"]
    assert f"{len(copies)} of {len(copies)} runs are done already" in again.output
    assert "learning rate" not in again.output
    assert (folder / "runs.jsonl").read_text().splitlines() == lines
    assert rows_of(folder) == copies
    assert (folder / "errors-copy.svg").read_bytes() == drawn["errors-copy.svg"]


def test_a_solved_run_is_traced(tmp_path: Path) -> None:
    arguments = ["--problems", "adding", "--lengths", "3", "--seeds", "1", "--hidden-size", "8"]
    result = compare(tmp_path, "--budget", "quick", *arguments)
    assert result.exit_code == 0, result.output
    assert "gru_before 8, learning rate 0.01, seed 0: solved after" in result.output
    assert "follows the running sum" in (tmp_path / "traces.md").read_text("utf-8")
    assert (tmp_path / "trace-adding.svg").stat().st_size < 150_000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--problems", "adding,parity"], "no problem 'parity'; there are adding, copy, co2"),
        (["--lengths", "5,0"], "'0' is not a positive number of steps"),
        (["--lengths", "5,x"], "'x' is not a positive number of steps"),
        (["--lengths", "1"], "Error: --lengths: adding takes at least 2 steps, not 1"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    arguments: list[str], said: str, tmp_path: Path
) -> None:
    folder = tmp_path / "compare"
    result = compare(folder, *arguments)
    assert result.exit_code != 0
    assert said in result.output
    assert not folder.exists()
