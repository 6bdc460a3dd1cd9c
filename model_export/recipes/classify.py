"""The label of a whole sequence."""

from typing import Literal

from pydantic import Field

from model_export.recipes.recipe import Decay, Epochs, HiddenSize, Patience, Shares
from model_export.recipes.table import TableRecipe


class ClassifyRecipe(TableRecipe):
    """The label of a whole sequence, with its probability after every step."""

    task: Literal["classify"] = "classify"
    data: str = Field(description="A CSV or Parquet file with a row for each step of a sequence.")
    series: str | None = Field("series", description="The column that tells sequences apart.")
    inputs: tuple[str, ...] | None = Field(
        None, description="Columns to look at, a,b,… [default: all columns of numbers]"
    )
    label: str = Field("label", description="The column of labels, one for a sequence.")
    units: tuple[str, ...] = Field(("",), description="Of the inputs: one for all, or one each.")
    missing: Literal["refuse", "last"] = Field(
        "refuse", description="What a missing value is taken for, in training and when serving."
    )
    short: Literal["refuse", "drop", "keep"] = Field(
        "refuse", description="What to do about sequences of one or two rows."
    )
    split: Shares = Field(
        (0.7, 0.15, 0.15),
        description="Training, validation and test part: shares, by the names of sequences, or "
        "numbers of sequences of each label.",
    )
    hidden_size: HiddenSize = 64
    epochs: Epochs = 40
    patience: Patience = 8
    decay: Decay = 0.95
