"""The models that `make models` trains, from data that comes with the installed packages."""

from model_export.recipes.characters import CharactersRecipe
from model_export.recipes.forecast import ForecastRecipe
from model_export.recipes.recipe import Recipe

DEMOS: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        CharactersRecipe(
            name="characters",
            data="pydoc",
            hidden_size=128,
            dropout=0.1,
            epochs=7,
            decay=0.7,
        ),
        ForecastRecipe(
            name="co2",
            data="co2",
            reset="after",
            hidden_size=32,
            layers=2,
            epochs=24,
            learning_rate=0.01,
            decay=0.9,
            batch_size=16,
        ),
    )
}
