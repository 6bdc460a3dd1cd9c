"""Tasks by name."""

from model_export.recipe import Recipe
from model_export.tasks.characters import Characters
from model_export.tasks.forecast import Forecast
from model_export.tasks.task import Task


def load_task(recipe: Recipe) -> Task:
    """The recipe's task with its data read; raises DataError where that is not usable."""
    return Characters.load(recipe) if recipe.task == "characters" else Forecast.load(recipe)
