"""The next character of a text."""

from typing import Literal

from pydantic import Field

from model_export.recipes.recipe import Recipe, Shares


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
    hidden_size: int = Field(256, ge=1, description="Width of each layer.")
    epochs: int = Field(8, ge=1, description="At most so many; early stopping may end sooner.")
    patience: int = Field(3, ge=1, description="Epochs to wait for a better validation loss.")
    decay: float = Field(0.7, gt=0, le=1, description="Factor of the exponential schedule.")
    batch_size: int = Field(64, ge=1, description="Rows of text that are read side by side.")
