"""A real process that is interrupted, and what goes on from it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from subprocess import PIPE

import pytest
import torch
from click.testing import CliRunner

from model_export.command_line import main
from model_export.run_folder import CURVES_FILE
from model_export.trained import TrainedModel
from tests.unit.model_export.small_data import small_recipe

DEADLINE = 60.0


def command(folder: Path, runs: str) -> list[str]:
    places = ("--runs", str(folder / runs), "--repository", str(folder / runs / "models"))
    return ["train", "characters", "--recipe", str(folder / "recipe.toml"), *places]


def wait_for(file: Path, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + DEADLINE
    while not file.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, f"no {file} yet"
        time.sleep(0.01)


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[TrainedModel]:
    """Packaging takes seconds, and is tested elsewhere: here it only collects."""
    models: list[TrainedModel] = []

    def publish(trained: TrainedModel, repository: Path, *, candidate: bool) -> Path:
        assert not candidate
        models.append(trained)
        return repository / trained.name / "1"

    monkeypatch.setattr("model_export.package.publish_trained", publish)
    return models


def test_it_says_how_to_go_on_and_ends_with_the_same_weights(
    tmp_path: Path, published: list[TrainedModel]
) -> None:
    recipe = tmp_path / "recipe.toml"
    options = {"epochs": 3, "hidden_size": 32, "layers": 1, "patience": 9}
    recipe.write_text(small_recipe("characters", tmp_path, **options).to_toml(), "utf-8")
    # Long epochs, so that the signal comes in the middle of the second.
    text = tmp_path / "characters.csv"
    text.write_text(text.read_text() * 6)
    program = (sys.executable, "-W", "ignore", "-m", "model_export")
    interrupted = subprocess.Popen(
        [*program, *command(tmp_path, "b")], stdout=PIPE, stderr=PIPE, text=True
    )
    run = tmp_path / "b" / "tiny"
    wait_for(run / CURVES_FILE, interrupted)
    os.kill(interrupted.pid, signal.SIGINT)
    _, said = interrupted.communicate(timeout=DEADLINE)
    assert interrupted.returncode != 0
    assert f"interrupted; the same command with --resume goes on from {run}" in said
    assert "Traceback" not in said
    assert len((run / CURVES_FILE).read_text().splitlines()) < 4
    assert not (tmp_path / "b" / "models").exists()

    for arguments in (command(tmp_path, "a"), [*command(tmp_path, "b"), "--resume"]):
        ended = CliRunner().invoke(main, [*arguments, "--force"])
        assert ended.exit_code == 0, ended.output
    first, second = (one.network.state_dict() for one in published)
    assert all(torch.equal(weights, second[name]) for name, weights in first.items())
    assert (tmp_path / "a" / "tiny" / CURVES_FILE).read_text() == (run / CURVES_FILE).read_text()
