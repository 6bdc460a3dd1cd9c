"""The models that `make models` trains, from data that comes with the installed packages."""

from model_export.recipes.characters import CharactersRecipe
from model_export.recipes.forecast import ForecastRecipe
from model_export.recipes.recipe import Recipe

DEMOS: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        CharactersRecipe(
            name="characters",
            data="documents",
            hidden_size=128,
            learning_rate=8e-3,
            schedule="cosine",
            epochs=10,
        ),
        ForecastRecipe(
            name="neuron",
            data="membrane",
            time="ms",
            targets=("potential",),
            quantiles=(0.1, 0.5, 0.9),
            reset="after",
            level_shift=0,
            hidden_size=32,
            learning_rate=0.01,
            decay=0.9,
            epochs=20,
        ),
    )
}
