"""From a recipe to a trained model with its scores."""

import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from model_export.checkpoint import CHECKPOINT_FILE, has_checkpoint
from model_export.errors import CheckpointError, TrainingError
from model_export.model.network import Network
from model_export.recipes.recipe import Recipe
from model_export.run_folder import (
    folder_of,
    remove_scores,
    seeds_of,
    write_recipe,
    write_scores,
)
from model_export.start import begun
from model_export.tasks.task import Task
from model_export.trained import Curve, TrainedModel
from model_export.training_loop import Weights, fit
from service.bundle.manifest import Provenance, Score

_RECORDED = (
    "gatewise",
    "torch",
    "pytorch-ignite",
    "numpy",
    "polars",
    "scikit-learn",
    "statsmodels",
)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """Of one seed."""

    seed: int
    network: Network
    curve: Curve

    @property
    def validation(self) -> float:
        return min(self.curve.validation)


def train(
    recipe: Recipe,
    runs: Path,
    *,
    created_at: str,
    repository: Path | None = None,
    resume: bool = False,
    say: Callable[[str], object] = lambda _: None,
    progress: bool = False,
) -> TrainedModel:
    """Trains in `runs/<name>/` and scores the best epoch's weights on the held-out part.

    Of several seeds, each in a folder of its own, the one with the best validation loss is the
    model; the scores keep those of all. A recipe that goes on from a published model finds it in
    `repository`. `say` is told what was read. `created_at` is an ISO 8601 time. Raises DataError,
    RecipeError or TrainingError, which is a CheckpointError where a run cannot be resumed.
    """
    recipe, task, weights = begun(recipe, repository)
    for line in (*task.read, *task.baselines):
        say(line)
    run = runs / recipe.name
    if resume:
        _check_resumable(recipe, run)
    else:
        write_recipe(recipe, run)
        remove_scores(run)
    outcomes = [
        _of_seed(task, recipe, run, seed, weights=weights, resume=resume, progress=progress)
        for seed in seeds_of(recipe)
    ]
    # What is resumed may have been given more epochs.
    write_recipe(recipe, run)
    best = min(outcomes, key=lambda one: one.validation)
    scores = _scores(task, outcomes, outcomes.index(best))
    write_scores(scores, task.baselines, run)
    return TrainedModel(
        network=best.network,
        name=recipe.name,
        task=recipe.task,
        input=task.input,
        output=task.output,
        scores=scores,
        baselines=task.baselines,
        provenance=_provenance(task, recipe, best.seed, created_at),
        curve=best.curve,
        samples=task.samples,
        input_ranges=task.input_ranges,
    )


def _check_resumable(recipe: Recipe, run: Path) -> None:
    """Of several seeds some may not have got to a checkpoint yet. Raises CheckpointError."""
    folders = [folder_of(recipe, run, seed) for seed in seeds_of(recipe)]
    if not any(map(has_checkpoint, folders)):
        raise CheckpointError(f"nothing to resume: there is no {folders[0] / CHECKPOINT_FILE}")


def _of_seed(
    task: Task,
    recipe: Recipe,
    run: Path,
    seed: int,
    *,
    weights: Weights | None,
    resume: bool,
    progress: bool,
) -> _Outcome:
    folder = folder_of(recipe, run, seed)
    resume = resume and has_checkpoint(folder)
    recipe = recipe.model_copy(update={"seed": seed})
    network, curve = fit(task, recipe, folder, weights=weights, resume=resume, progress=progress)
    if not curve.validation:
        raise TrainingError("no epoch was trained")
    return _Outcome(seed, network, curve)


def _scores(task: Task, outcomes: list[_Outcome], best: int) -> tuple[Score, ...]:
    found = [task.test_scores(one.network) for one in outcomes]
    if len(found) == 1:
        return found[0]
    return tuple(
        of_all[best].model_copy(update={"seeds": tuple(score.model for score in of_all)})
        for of_all in zip(*found, strict=True)
    )


def _provenance(task: Task, recipe: Recipe, seed: int, created_at: str) -> Provenance:
    versions = {package: version(package) for package in _RECORDED}
    return Provenance(
        created_at=created_at,
        data=task.source.description,
        data_sha256=task.source.sha256,
        held_out=task.held_out,
        seed=seed,
        versions={"python": platform.python_version()} | versions,
        hyperparameters=recipe.to_dict(),
    )
