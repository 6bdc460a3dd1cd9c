"""A published model that training goes on from."""

from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from model_export.errors import TrainingError
from model_export.recipes.recipe import Recipe
from model_export.tasks.registry import load_task
from model_export.tasks.task import Task
from service.bundle.folders import read_version, versions_in
from service.bundle.manifest import WEIGHTS_FILE, Manifest
from service.errors import GatewiseError

_OF_THE_NETWORK = (
    "reset",
    "hidden_size",
    "layers",
    "embedding",
    "input_gain",
    "quantiles",
    "missing",
)
"""Options that a model which goes on cannot change."""


@dataclass(frozen=True, slots=True)
class Start:
    """A version's manifest, and its weights by the names that they have in the network."""

    manifest: Manifest
    weights: dict[str, Tensor]

    @property
    def name(self) -> str:
        return f"{self.manifest.name}/{self.manifest.version}"


def load_start(repository: Path, name: str) -> Start:
    """NAME, its newest version, or NAME/VERSION of a repository. Raises TrainingError."""
    model, _, version = name.partition("/")
    try:
        found = versions_in(repository / model)
        if not found:
            raise TrainingError(f"--from {name}: there is no model {model!r} in {repository}")
        number = int(version) if version else max(found)
        bundle = read_version(repository / model / str(number))
    except (GatewiseError, ValueError) as error:
        raise TrainingError(f"--from {name}: {error}") from error
    if WEIGHTS_FILE not in bundle.manifest.files:
        raise TrainingError(
            f"--from {name}: {bundle.folder} has no {WEIGHTS_FILE}: it was imported, quantised, or "
            "published by an older release; go on from another version, or train it anew"
        )
    try:
        weights = safetensors.torch.load_file(bundle.folder / WEIGHTS_FILE)
    except (SafetensorError, OSError) as error:
        raise TrainingError(f"--from {name}: {error}") from error
    return Start(bundle.manifest, weights)


def begun(recipe: Recipe, repository: Path | None) -> tuple[Recipe, Task, dict[str, Tensor] | None]:
    """What training begins with: the recipe, its task with the data read, and the weights of the
    model that it goes on from, if it does. Raises DataError, RecipeError, TrainingError."""
    if recipe.start is None:
        return recipe, load_task(recipe), None
    if repository is None:
        raise TrainingError(f"--from {recipe.start}: there is no repository to find it in")
    start = load_start(repository, recipe.start)
    recipe = _with_network_of(recipe, start)
    task = load_task(recipe, vocabulary=vocabulary_of(start.manifest))
    _check_signatures(task, start)
    return recipe, task, start.weights


def vocabulary_of(manifest: Manifest) -> tuple[str, ...] | None:
    """What the tokens of a model are called; None where it has none."""
    return getattr(manifest.input, "vocabulary", None)


def _with_network_of(recipe: Recipe, start: Start) -> Recipe:
    """The recipe with the network of the model that it goes on from. Raises TrainingError where
    it asks for another one."""
    provenance = start.manifest.provenance
    made = {} if provenance is None else provenance.hyperparameters
    if made.get("task") != recipe.task:
        raise TrainingError(f"--from {start.name}: its task is {start.manifest.task}")
    asked = recipe.to_dict()
    wrong = [
        f"--{name.replace('_', '-')} is {made[name]!r} there"
        for name in _OF_THE_NETWORK
        if name in recipe.model_fields_set and name in made and asked[name] != made[name]
    ]
    if wrong:
        raise TrainingError(f"--from {start.name}: {'; '.join(wrong)}")
    kept = {name: made[name] for name in _OF_THE_NETWORK if name in made and name in asked}
    return type(recipe).of(asked | kept | {"from": start.name})


def _check_signatures(task: Task, start: Start) -> None:
    """Raises TrainingError where the data does not have the columns of the model."""
    if task.input != start.manifest.input or task.output != start.manifest.output:
        raise TrainingError(
            f"--from {start.name}: it takes {start.manifest.input.described} and answers "
            f"{start.manifest.output.described}; the data gives {task.input.described} and "
            f"{task.output.described}"
        )
