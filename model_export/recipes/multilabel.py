"""The next set of labels."""

from typing import Literal

from pydantic import Field

from model_export.recipes.recipe import Recipe


class MultilabelRecipe(Recipe):
    """Which labels are on at the next step: the next chord of a piano roll, for example."""

    task: Literal["multilabel"] = "multilabel"
    data: str = Field(description="A .mat or .npz file of piano rolls, in three parts.")
    input_gain: float = Field(
        4.0,
        gt=0,
        description="What labels are multiplied by for the layers, after division by their common "
        "standard deviation.",
    )
    hidden_size: int = Field(200, ge=1, description="Width of each layer.")
    dropout: float = Field(0.3, ge=0, lt=1, description="After each layer, while training.")
    epochs: int = Field(100, ge=1, description="At most so many; early stopping may end sooner.")
    patience: int = Field(10, ge=1, description="Epochs to wait for a better validation loss.")
    learning_rate: float = Field(2e-3, gt=0, description="Of AdamW, in the first epoch.")
    decay: float = Field(0.97, gt=0, le=1, description="Factor of the exponential schedule.")
    batch_size: int = Field(16, ge=1, description="Sequences in a batch.")
