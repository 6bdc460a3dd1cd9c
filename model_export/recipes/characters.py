"""The next character of a text."""

from typing import Literal

from pydantic import Field

from model_export.recipes.recipe import (
    BatchSize,
    Decay,
    Epochs,
    HiddenSize,
    Patience,
    Recipe,
    Shares,
)


class CharactersRecipe(Recipe):
    """The next character of a text."""

    task: Literal["characters"] = "characters"
    data: str = Field(
        description="A UTF-8 text, or built-in data: documents (from a random grammar), stdlib "
        "(source of Python's own library) or pydoc (its documentation)."
    )
    embedding: int = Field(32, ge=1, description="Width of a character's vector.")
    split: Shares = Field(
        (0.85, 0.05, 0.1),
        description="Training, validation and test part, first to last: shares, or characters.",
    )
    time_steps: int = Field(64, ge=1, description="Steps that gradients go back in time.")
    hidden_size: HiddenSize = 256
    epochs: Epochs = 8
    patience: Patience = 3
    decay: Decay = 0.7
    batch_size: BatchSize = 64
