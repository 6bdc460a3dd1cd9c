"""The recipe of every task, by its name."""

from typing import Any

from model_export.errors import RecipeError
from model_export.recipes.characters import CharactersRecipe
from model_export.recipes.classify import ClassifyRecipe
from model_export.recipes.events import EventsRecipe
from model_export.recipes.forecast import ForecastRecipe
from model_export.recipes.multilabel import MultilabelRecipe
from model_export.recipes.recipe import Recipe

RECIPES: dict[str, type[Recipe]] = {
    "forecast": ForecastRecipe,
    "characters": CharactersRecipe,
    "events": EventsRecipe,
    "multilabel": MultilabelRecipe,
    "classify": ClassifyRecipe,
}


def recipe_of(values: dict[str, Any]) -> Recipe:
    """From what `Recipe.to_dict` gives. Raises RecipeError."""
    task = values.get("task")
    if task not in RECIPES:
        raise RecipeError(f"no task {task!r}; there are {', '.join(RECIPES)}")
    return RECIPES[task].of(values)
