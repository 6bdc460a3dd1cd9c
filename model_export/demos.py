"""The models that `make models` trains, from data that comes with the installed packages."""

from model_export.recipe import Recipe, recipe_for

DEMOS: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        recipe_for(
            "characters",
            "pydoc",
            "characters",
            reset="before",
            hidden_size=128,
            dropout=0.1,
            epochs=7,
            decay=0.7,
        ),
        recipe_for(
            "forecast",
            "co2",
            "co2",
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
