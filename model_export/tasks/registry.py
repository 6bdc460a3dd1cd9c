"""Tasks by name."""

from collections.abc import Callable

from model_export.recipes.recipe import Recipe
from model_export.tasks.characters import Characters
from model_export.tasks.classify import Classify
from model_export.tasks.events import Events
from model_export.tasks.forecast import Forecast
from model_export.tasks.multilabel import Multilabel
from model_export.tasks.task import Task

_LOADERS: dict[str, Callable[..., Task]] = {
    "forecast": Forecast.load,
    "characters": Characters.load,
    "events": Events.load,
    "multilabel": Multilabel.load,
    "classify": Classify.load,
}


def load_task(recipe: Recipe, *, vocabulary: tuple[str, ...] | None = None) -> Task:
    """The recipe's task with its data read; raises DataError where that is not usable.

    With a `vocabulary` tokens have the ids that they have there.
    """
    load = _LOADERS[recipe.task]
    return load(recipe) if vocabulary is None else load(recipe, vocabulary)
