"""From the options of a recipe to those of reading."""

from model_export.data.frame import ReadOptions
from model_export.data.series import Repairs
from model_export.errors import RecipeError
from model_export.model.config import Fill
from model_export.recipes.classify import ClassifyRecipe
from model_export.recipes.events import EventsRecipe
from model_export.recipes.forecast import ForecastRecipe
from model_export.recipes.table import Missing, TableRecipe


def read_options(recipe: TableRecipe | EventsRecipe) -> ReadOptions:
    return ReadOptions(
        recipe.delimiter, recipe.decimal, recipe.thousands, recipe.header, recipe.time_format
    )


def repairs(recipe: ForecastRecipe | ClassifyRecipe) -> Repairs:
    return Repairs(
        recipe.order,
        recipe.duplicates,
        recipe.gaps,
        recipe.missing,
        recipe.outliers,
        recipe.constant,
        recipe.short,
    )


def fill_of(missing: Missing) -> Fill | None:
    return None if missing == "refuse" else missing


def units_of(units: tuple[str, ...], width: int) -> tuple[str, ...]:
    """One for each of `width` columns; none are empty ones. Raises RecipeError."""
    if not units:
        return ("",) * width
    if len(units) == 1:
        return units * width
    if len(units) != width:
        raise RecipeError(
            f"--units: {len(units)} units for {width} columns; give one for all or one each"
        )
    return units
