"""The training loop: exact resumption, early stopping, what is refused."""

import csv
import json
import math
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from model_export.checkpoint import CHECKPOINT_FILE
from model_export.errors import CheckpointError, TrainingError
from model_export.model.network import Network
from model_export.recipes.forecast import ForecastRecipe
from model_export.recipes.recipe import Recipe
from model_export.run_folder import CURVES_FILE, RECIPE_FILE, SCORES_FILE
from model_export.tasks.registry import load_task
from model_export.tasks.task import Batch, Task
from model_export.train import train
from model_export.trained import Curve
from model_export.training_loop import fit
from tests.unit.model_export.small_data import TASKS, changed, small_recipe


@pytest.fixture(params=["characters", "forecast"])
def recipe(request: pytest.FixtureRequest, tmp_path: Path) -> Recipe:
    return small_recipe(request.param, tmp_path)


@pytest.fixture(params=TASKS)
def any_recipe(request: pytest.FixtureRequest, tmp_path: Path) -> Recipe:
    return small_recipe(request.param, tmp_path)


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
    any_recipe: Recipe, epoch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uninterrupted = fit(load_task(any_recipe), any_recipe, tmp_path / "a")
    task = load_task(any_recipe)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, task, epoch=epoch)
        fit(task, any_recipe, tmp_path / "b")
    torch.manual_seed(999)  # what happens in between does not matter
    resumed = fit(load_task(any_recipe), any_recipe, tmp_path / "b", resume=True)
    assert len(resumed[1].validation) == 4
    assert_same(uninterrupted, resumed)
    first, second = (torch.load(tmp_path / run / CHECKPOINT_FILE) for run in "ab")
    for name, weights in first["network"].items():
        assert torch.equal(weights, second["network"][name]), name
    rows = [(tmp_path / run / CURVES_FILE).read_text().splitlines() for run in "ab"]
    assert rows[0] == rows[1]
    assert len(rows[0]) == 5


def test_tensorboard_shows_the_curves_of_one_run(recipe: Recipe, tmp_path: Path) -> None:
    """All of one that was resumed, nothing of an earlier one."""
    fit(load_task(recipe), changed(recipe, seed=7), tmp_path)
    fit(load_task(recipe), changed(recipe, epochs=2), tmp_path)
    _, curve = fit(load_task(recipe), recipe, tmp_path, resume=True)
    shown = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert set(shown.Tags()["scalars"]) == {"loss/training", "loss/validation", "learning_rate"}
    for name, losses in (("training", curve.training), ("validation", curve.validation)):
        events = shown.Scalars(f"loss/{name}")
        assert [event.step for event in events] == [1, 2, 3, 4]
        assert [event.value for event in events] == pytest.approx(losses)


@pytest.mark.parametrize("missing", ["last", "forecast"])
def test_a_run_over_gaps_and_a_horizon_goes_on_too(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"missing": missing, "horizon": 3, "quantiles": [0.1, 0.5, 0.9]}
    recipe = small_recipe("forecast", tmp_path, **options, epochs=2, layers=1)
    lines = Path(recipe.data).read_text().splitlines()
    lines[1::9] = [",1.5"] * len(lines[1::9])
    Path(recipe.data).write_text("\n".join(lines))
    uninterrupted = fit(load_task(recipe), recipe, tmp_path / "a")
    assert min(uninterrupted[1].training) > 0
    task = load_task(recipe)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt(patch, task, epoch=2)
        fit(task, recipe, tmp_path / "b")
    assert_same(uninterrupted, fit(load_task(recipe), recipe, tmp_path / "b", resume=True))


@pytest.mark.parametrize("schedule", ["constant", "exponential", "cosine"])
def test_the_learning_rate_falls_as_asked(schedule: str, tmp_path: Path) -> None:
    options = {"schedule": schedule, "learning_rate": 0.01, "decay": 0.5}
    recipe = small_recipe("multilabel", tmp_path, **options)
    fit(load_task(recipe), recipe, tmp_path)
    with (tmp_path / CURVES_FILE).open() as stream:
        rates = [float(row["learning_rate"]) for row in csv.DictReader(stream)]
    half = math.sqrt(0.5) / 2
    assert rates == pytest.approx(
        {
            "constant": [0.01] * 4,
            "exponential": [0.01, 0.005, 0.0025, 0.00125],
            "cosine": [0.01, 0.01 * (0.5 + half), 0.005, 0.01 * (0.5 - half)],
        }[schedule]
    )


def test_a_cosine_run_cannot_go_on_for_more_epochs(tmp_path: Path) -> None:
    """Its rates would have been others from the first epoch on."""
    recipe = small_recipe("multilabel", tmp_path, schedule="cosine", epochs=1)
    fit(load_task(recipe), recipe, tmp_path)
    with pytest.raises(CheckpointError, match="epochs is 1 there and 2 here"):
        fit(load_task(recipe), changed(recipe, epochs=2), tmp_path, resume=True)


def test_a_finished_run_goes_on_for_more_epochs(recipe: Recipe, tmp_path: Path) -> None:
    longer = changed(recipe, epochs=6)
    at_once = fit(load_task(recipe), longer, tmp_path / "a")
    fit(load_task(recipe), recipe, tmp_path / "b")
    assert_same(at_once, fit(load_task(recipe), longer, tmp_path / "b", resume=True))
    assert_same(at_once, fit(load_task(recipe), longer, tmp_path / "b", resume=True))
    with pytest.raises(CheckpointError, match="6 epochs are done already, more than --epochs 4"):
        fit(load_task(recipe), recipe, tmp_path / "b", resume=True)


def test_the_seed_decides_the_weights(recipe: Recipe, tmp_path: Path) -> None:
    once = fit(load_task(recipe), recipe, tmp_path / "a")
    assert_same(once, fit(load_task(recipe), recipe, tmp_path / "a"))
    _, other = fit(load_task(recipe), changed(recipe, seed=1), tmp_path / "a")
    assert other.training != once[1].training


def test_training_leaves_the_global_generator_and_threads_alone(
    recipe: Recipe, tmp_path: Path
) -> None:
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    fit(load_task(recipe), changed(recipe, threads=threads + 1, epochs=1), tmp_path)
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
    patient = changed(recipe, epochs=50, patience=2)
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
    patient = changed(recipe, epochs=50, patience=2)
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
    fit(load_task(recipe), changed(recipe, epochs=1), tmp_path)
    other = changed(recipe, hidden_size=6, seed=4)
    with pytest.raises(CheckpointError, match="hidden_size is 5 there and 6 here; seed is 0"):
        fit(load_task(other), other, tmp_path, resume=True)


def test_a_checkpoint_of_other_data_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    fit(load_task(recipe), changed(recipe, epochs=1), tmp_path)
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
    assert sorted(path.name for path in run.glob("*.*")) == [CHECKPOINT_FILE, CURVES_FILE]
    fit(load_task(recipe), recipe, run, resume=True)


def test_a_loss_that_is_not_finite_ends_the_run(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="not finite; try a lower --learning-rate"):
        fit(load_task(recipe), changed(recipe, learning_rate=1e30), tmp_path)


def test_a_trained_model_tells_where_it_came_from(any_recipe: Recipe, tmp_path: Path) -> None:
    said: list[str] = []
    once = changed(any_recipe, epochs=1)
    trained = train(once, tmp_path, created_at="2026-01-02T03:04:05+00:00", say=said.append)
    assert (tmp_path / "tiny" / CHECKPOINT_FILE).exists()
    assert (tmp_path / "tiny" / RECIPE_FILE).read_text("utf-8") == once.to_toml()
    assert trained.task == once.task
    assert trained.provenance.hyperparameters == once.to_dict()
    assert trained.provenance.created_at == "2026-01-02T03:04:05+00:00"
    assert trained.provenance.versions["torch"] == torch.__version__
    assert trained.curve.validation
    is_tokens = once.task in ("characters", "events")
    assert trained.sample.dtype == (np.int64 if is_tokens else np.float32)
    assert set(trained.baselines) < set(said)
    assert all(len(score.baselines) >= 2 for score in trained.scores)
    kept = json.loads((tmp_path / "tiny" / SCORES_FILE).read_text("utf-8"))
    assert kept["scores"] == [score.model_dump(mode="json") for score in trained.scores]
    assert kept["baselines"] == list(trained.baselines)


def test_a_run_that_begins_anew_has_no_scores_of_an_earlier_one(tmp_path: Path) -> None:
    recipe = small_recipe("forecast", tmp_path, epochs=1)
    train(recipe, tmp_path, created_at="now")
    with pytest.raises(TrainingError, match="not finite"):
        train(changed(recipe, learning_rate=1e30, epochs=3), tmp_path, created_at="now")
    assert not (tmp_path / "tiny" / SCORES_FILE).exists()


def test_of_several_seeds_the_better_validation_loss_wins(tmp_path: Path) -> None:
    recipe = small_recipe("forecast", tmp_path, seeds=2, seed=5, epochs=2)
    both = train(recipe, tmp_path / "both", created_at="now")
    alone = [
        train(changed(recipe, seeds=1, seed=seed), tmp_path / str(seed), created_at="now")
        for seed in (5, 6)
    ]
    losses = [min(one.curve.validation) for one in alone]
    assert losses[0] != losses[1]
    best = alone[losses.index(min(losses))]
    assert both.provenance.seed == best.provenance.seed
    assert_same((both.network, both.curve), (best.network, best.curve))
    for score, first, second, of_best in zip(
        both.scores, alone[0].scores, alone[1].scores, best.scores, strict=True
    ):
        assert score.seeds == (first.model, second.model)
        assert score.model == of_best.model
        assert score.baselines == first.baselines
    folders = [tmp_path / "both" / "tiny" / f"seed-{seed}" for seed in (5, 6)]
    assert all((folder / CHECKPOINT_FILE).exists() for folder in folders)


@pytest.mark.parametrize("epoch", [3, 4], ids=["before a checkpoint", "behind one"])
def test_several_seeds_go_on_where_they_stopped(
    epoch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the second of them; a third has not begun."""
    recipe = small_recipe("forecast", tmp_path, seeds=3, epochs=2)
    whole = train(recipe, tmp_path / "a", created_at="now")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        task = load_task(recipe)
        patch.setattr("model_export.start.load_task", lambda *_, **__: task)
        interrupt(patch, task, epoch=epoch)
        train(recipe, tmp_path / "b", created_at="now")
    runs = sorted(path.name for path in (tmp_path / "b" / "tiny").glob("seed-*"))
    assert runs == ["seed-0", "seed-1"]
    resumed = train(recipe, tmp_path / "b", created_at="now", resume=True)
    assert_same((whole.network, whole.curve), (resumed.network, resumed.curve))
    assert resumed.scores == whole.scores


def test_no_seed_has_begun(tmp_path: Path) -> None:
    recipe = small_recipe("forecast", tmp_path, seeds=2)
    with pytest.raises(CheckpointError, match="nothing to resume"):
        train(recipe, tmp_path, created_at="now", resume=True)


def test_a_run_that_cannot_be_resumed_keeps_its_recipe(tmp_path: Path) -> None:
    recipe = small_recipe("forecast", tmp_path, epochs=1)
    train(recipe, tmp_path, created_at="now")
    with pytest.raises(CheckpointError, match="the checkpoint is of another run"):
        train(changed(recipe, hidden_size=3), tmp_path, created_at="now", resume=True)
    assert (tmp_path / "tiny" / RECIPE_FILE).read_text("utf-8") == recipe.to_toml()


def test_training_learns(tmp_path: Path) -> None:
    path = tmp_path / "wave.csv"
    wave = np.sin(np.arange(400) * 2 * np.pi / 10)
    path.write_text("wave\n" + "\n".join(map(str, wave)))
    recipe = ForecastRecipe(
        data=str(path), name="wave", epochs=8, hidden_size=16, time_steps=30, seed=1, season=7
    )
    mae, _ = train(recipe, tmp_path, created_at="now").scores
    assert mae.model < 0.3 * min(mae.baselines["persistence"], mae.baselines["seasonal naive"])
