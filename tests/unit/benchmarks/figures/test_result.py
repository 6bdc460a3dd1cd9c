"""A figure measured: a real training by a recipe, and what is kept of it."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.figures import figure as figure_module
from benchmarks.figures.figure import Figure
from benchmarks.figures.result import Folders, measure
from model_export.run_folder import CURVES_FILE

RECIPE = """
task = "multilabel"
name = "tiny"
hidden-size = 4
epochs = 2
seeds = 2
"""


@pytest.mark.timeout(300)
def test_scores_curves_and_the_command_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(figure_module, "RECIPES", tmp_path)
    (tmp_path / "tiny.toml").write_text(RECIPE, "utf-8")
    roll = (np.random.default_rng(0).random((80, 4)) < 0.3).astype(float)
    lengths = [20, 20, 20, 20]
    np.savez(
        tmp_path / "roll.npz",
        train=roll,
        valid=roll,
        test=roll,
        train_lengths=lengths,
        valid_lengths=lengths,
        test_lengths=lengths,
    )
    out = tmp_path / "out"
    tiny = Figure("tiny", "roll.npz", {"NLL/step": {"GRU": 8.43}})
    folders = Folders(tmp_path / "models", tmp_path / "runs", out)
    earlier = folders.runs / "tiny" / "seed-7"
    earlier.mkdir(parents=True)
    (earlier / CURVES_FILE).write_text("epoch,training,validation,learning_rate\n1,2,3,4\n")
    folder = measure(tiny, tmp_path / "roll.npz", folders)
    assert folder == tmp_path / "models" / "tiny" / "1"
    said = json.loads((out / "tiny.json").read_text("utf-8"))
    assert said["command"].endswith("multilabel --recipe recipes/tiny.toml --data roll.npz")
    (score,) = said["scores"]
    assert len(score["seeds"]) == 2
    assert score["model"] in score["seeds"]
    assert said["published"] == {"NLL/step": {"GRU": 8.43}}
    assert said["baselines"][0] == "marginal"
    with (out / "tiny.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["seed"], row["epoch"]) for row in rows] == [
        ("0", "1"),
        ("0", "2"),
        ("1", "1"),
        ("1", "2"),
    ]
    assert "published" in capfd.readouterr().out, "who waits sees what is done"
