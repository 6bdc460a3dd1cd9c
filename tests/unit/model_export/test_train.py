"""The training loop: exact resumption, early stopping, what is refused."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import IO

import numpy as np
import pytest
import torch

from model_export import training_loop
from model_export.checkpoint import CHECKPOINT_FILE
from model_export.errors import CheckpointError, TrainingError
from model_export.model.network import Network
from model_export.recipe import Recipe, recipe_for
from model_export.tasks.registry import load_task
from model_export.tasks.task import Batch, Task
from model_export.train import train
from model_export.trained import Curve
from model_export.training_loop import fit

TINY = {"hidden_size": 5, "layers": 2, "dropout": 0.3, "batch_size": 2, "time_steps": 6}


@pytest.fixture(params=["characters", "forecast"])
def recipe(request: pytest.FixtureRequest, tmp_path: Path) -> Recipe:
    rng = np.random.default_rng(0)
    path = tmp_path / "data"
    if request.param == "characters":
        path.write_text("".join(rng.choice(list("abc"), 300)))
    else:
        path.write_text(
            "a,b\n" + "\n".join(f"{x:.3f},{y:.3f}" for x, y in rng.normal(size=(90, 2)))
        )
    return recipe_for(request.param, str(path), "tiny", epochs=4, **TINY)


def interrupt(monkeypatch: pytest.MonkeyPatch, task: Task, *, epoch: int) -> None:
    """The task's data breaks off in the middle of the given epoch, counted from 1."""
    whole = task.batches
    begun: list[None] = []

    def batches() -> Iterator[Batch]:
        begun.append(None)
        yield from islice(whole(), None if len(begun) < epoch else 2)
        if len(begun) == epoch:
            raise KeyboardInterrupt

    monkeypatch.setattr(task, "batches", batches)


def assert_same(first: tuple[Network, Curve], second: tuple[Network, Curve]) -> None:
    assert first[1] == second[1]
    theirs = second[0].state_dict()
    for name, weights in first[0].state_dict().items():
        assert torch.equal(weights, theirs[name]), name


@pytest.mark.parametrize("epoch", [2, 4])
def test_an_interrupted_run_ends_with_the_very_same_weights(
    recipe: Recipe, epoch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uninterrupted = fit(load_task(recipe), recipe, tmp_path / "a")
    task = load_task(recipe)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, task, epoch=epoch)
        fit(task, recipe, tmp_path / "b")
    torch.manual_seed(999)  # what happens in between does not matter
    resumed = fit(load_task(recipe), recipe, tmp_path / "b", resume=True)
    assert len(resumed[1].validation) == 4
    assert_same(uninterrupted, resumed)
    first, second = (torch.load(tmp_path / run / CHECKPOINT_FILE) for run in "ab")
    for name, weights in first["network"].items():
        assert torch.equal(weights, second["network"][name]), name


def test_a_finished_run_goes_on_for_more_epochs(recipe: Recipe, tmp_path: Path) -> None:
    longer = replace(recipe, epochs=6)
    at_once = fit(load_task(recipe), longer, tmp_path / "a")
    fit(load_task(recipe), recipe, tmp_path / "b")
    assert_same(at_once, fit(load_task(recipe), longer, tmp_path / "b", resume=True))
    assert_same(at_once, fit(load_task(recipe), longer, tmp_path / "b", resume=True))
    with pytest.raises(CheckpointError, match="6 epochs are done already, more than --epochs 4"):
        fit(load_task(recipe), recipe, tmp_path / "b", resume=True)


def test_the_seed_decides_the_weights(recipe: Recipe, tmp_path: Path) -> None:
    once = fit(load_task(recipe), recipe, tmp_path / "a")
    assert_same(once, fit(load_task(recipe), recipe, tmp_path / "a"))
    _, other = fit(load_task(recipe), replace(recipe, seed=1), tmp_path / "a")
    assert other.training != once[1].training


def test_training_leaves_the_global_generator_and_threads_alone(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_loop, "THREADS", torch.get_num_threads() + 1)
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    fit(load_task(recipe), recipe, tmp_path)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


class Rehearsed:
    """A task whose validation losses are given."""

    def __init__(self, task: Task, losses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[torch.Tensor] = []
        self._losses = iter(losses)
        monkeypatch.setattr(task, "validation_loss", self.next_loss)

    def next_loss(self, network: Network) -> float:
        self.seen.append(network.head.weight.detach().clone())
        return next(self._losses)


LOSSES = [5.0, 3.0, 4.0, 3.0, 9.0]


def test_early_stopping_restores_the_best_weights(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = replace(recipe, epochs=50, patience=2)
    task = load_task(patient)
    rehearsed = Rehearsed(task, LOSSES, monkeypatch)
    network, curve = fit(task, patient, tmp_path)
    assert curve.validation == (5.0, 3.0, 4.0, 3.0)
    assert torch.equal(network.head.weight, rehearsed.seen[1])
    assert not torch.equal(network.head.weight, rehearsed.seen[3])
    assert not network.training


def test_patience_is_counted_across_an_interruption(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = replace(recipe, epochs=50, patience=2)
    task = load_task(patient)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        Rehearsed(task, LOSSES[:3], patch)
        interrupt(patch, task, epoch=4)
        fit(task, patient, tmp_path)
    Rehearsed(task, LOSSES[3:], monkeypatch)
    for _ in range(2):  # a run that was stopped early stays stopped
        _, curve = fit(task, patient, tmp_path, resume=True)
        assert curve.validation == (5.0, 3.0, 4.0, 3.0)


def test_a_checkpoint_of_another_recipe_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    fit(load_task(recipe), replace(recipe, epochs=1), tmp_path)
    other = replace(recipe, hidden_size=6, seed=4)
    with pytest.raises(CheckpointError, match="hidden_size is 5 there and 6 here; seed is 0"):
        fit(load_task(other), other, tmp_path, resume=True)


def test_a_checkpoint_of_other_data_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    fit(load_task(recipe), replace(recipe, epochs=1), tmp_path)
    data = Path(recipe.data)
    data.write_text(data.read_text()[:-1] + "1")
    with pytest.raises(CheckpointError, match="data_sha256 is"):
        fit(load_task(recipe), recipe, tmp_path, resume=True)


def test_there_must_be_something_to_resume(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nothing to resume"):
        fit(load_task(recipe), recipe, tmp_path, resume=True)
    (tmp_path / CHECKPOINT_FILE).write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(CheckpointError, match="is damaged"):
        fit(load_task(recipe), recipe, tmp_path, resume=True)


def test_the_old_checkpoint_stays_until_the_new_one_is_complete(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, save = tmp_path / "run", torch.save
    saved: list[object] = []

    def fail_the_second_time(record: object, file: IO[bytes]) -> None:
        if saved:
            raise OSError("no space left")
        saved.append(record)
        save(record, file)

    monkeypatch.setattr(torch, "save", fail_the_second_time)
    with pytest.raises(OSError, match="no space left"):
        fit(load_task(recipe), recipe, run)
    monkeypatch.undo()
    assert [path.name for path in run.iterdir()] == [CHECKPOINT_FILE]
    fit(load_task(recipe), recipe, run, resume=True)


def test_a_loss_that_is_not_finite_ends_the_run(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="not finite; try a lower --learning-rate"):
        fit(load_task(recipe), replace(recipe, learning_rate=1e30), tmp_path)


def test_a_trained_model_tells_where_it_came_from(recipe: Recipe, tmp_path: Path) -> None:
    trained = train(replace(recipe, epochs=1), tmp_path, created_at="2026-01-02T03:04:05+00:00")
    assert (tmp_path / "tiny" / CHECKPOINT_FILE).exists()
    assert trained.task == recipe.task
    assert trained.provenance.hyperparameters["hidden_size"] == 5
    assert trained.provenance.created_at == "2026-01-02T03:04:05+00:00"
    assert trained.provenance.versions["torch"] == torch.__version__
    assert trained.curve.validation
    assert trained.sample.dtype == (np.int64 if recipe.task == "characters" else np.float32)
    assert {name for score in trained.scores for name in score.baselines} >= (
        {"n-gram"} if recipe.task == "characters" else {"persistence"}
    )


def test_training_learns(tmp_path: Path) -> None:
    path = tmp_path / "wave.csv"
    wave = np.sin(np.arange(400) * 2 * np.pi / 10)
    path.write_text("wave\n" + "\n".join(map(str, wave)))
    recipe = recipe_for(
        "forecast", str(path), "wave", epochs=8, hidden_size=16, layers=1, time_steps=30, seed=1
    )
    mae, _ = train(replace(recipe, season=7), tmp_path, created_at="now").scores
    assert mae.model < 0.3 * min(mae.baselines.values())
