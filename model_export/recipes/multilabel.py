"""The next set of labels."""

from typing import Literal

from pydantic import Field

from model_export.recipes.recipe import (
    BatchSize,
    Decay,
    Dropout,
    Epochs,
    HiddenSize,
    LearningRate,
    Patience,
    Recipe,
)


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
    hidden_size: HiddenSize = 200
    dropout: Dropout = 0.3
    epochs: Epochs = 100
    patience: Patience = 10
    learning_rate: LearningRate = 2e-3
    decay: Decay = 0.97
    batch_size: BatchSize = 16
