"""From a recipe to a trained model with its scores."""

import platform
from importlib.metadata import version
from pathlib import Path

from model_export.recipe import Recipe
from model_export.tasks.registry import load_task
from model_export.tasks.task import Task
from model_export.trained import TrainedModel
from model_export.training_loop import fit
from service.bundle.manifest import Provenance

_RECORDED = ("gatewise", "torch", "pytorch-ignite", "numpy", "statsmodels")


def train(
    recipe: Recipe, runs: Path, *, created_at: str, resume: bool = False, progress: bool = False
) -> TrainedModel:
    """Trains in `runs/<name>/` and scores the best epoch's weights on the held-out part.

    `created_at` is an ISO 8601 time. Raises DataError or TrainingError.
    """
    task = load_task(recipe)
    network, curve = fit(task, recipe, runs / recipe.name, resume=resume, progress=progress)
    return TrainedModel(
        network=network,
        name=recipe.name,
        task=recipe.task,
        input=task.input,
        output=task.output,
        scores=task.test_scores(network),
        provenance=_provenance(task, recipe, created_at),
        curve=curve,
        sample=task.sample,
    )


def _provenance(task: Task, recipe: Recipe, created_at: str) -> Provenance:
    versions = {package: version(package) for package in _RECORDED}
    return Provenance(
        created_at=created_at,
        data=task.source.description,
        data_sha256=task.source.sha256,
        held_out=task.held_out,
        seed=recipe.seed,
        versions={"python": platform.python_version()} | versions,
        hyperparameters=recipe.to_dict(),
    )
