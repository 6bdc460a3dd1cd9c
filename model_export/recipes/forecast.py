"""The next rows of a table."""

from typing import Literal, Self

from pydantic import Field, model_validator

from model_export.recipes.recipe import Decay, Epochs, HiddenSize, Patience, Shares
from model_export.recipes.table import Missing, TableRecipe


class ForecastRecipe(TableRecipe):
    """The next values of some columns, from all that came before."""

    task: Literal["forecast"] = "forecast"
    data: str = Field(
        description="A CSV or Parquet file, or built-in data: membrane, mackey-glass or co2."
    )
    targets: tuple[str, ...] | None = Field(
        None, description="Columns to forecast, a,b,… [default: all columns of numbers]"
    )
    inputs: tuple[str, ...] = Field(
        (), description="Further columns to look at, of which nobody knows the future."
    )
    known: tuple[str, ...] = Field(
        (), description="Further columns that are known ahead: a calendar, a plan, a price."
    )
    units: tuple[str, ...] = Field(
        ("",), description="Of all columns: one for all, or one each, targets, known, inputs."
    )
    missing: Missing = Field(
        "refuse",
        description="What a missing value is taken for, in training and when serving: the last "
        "one, or the model's own forecast.",
    )
    short: Literal["refuse", "drop"] = Field(
        "refuse", description="What to do about series of fewer than four rows."
    )
    horizon: int = Field(
        1, ge=1, description="Steps ahead to train for and to score, own outputs fed back."
    )
    quantiles: tuple[float, ...] = Field(
        (), description="Answer these quantiles instead of one value: 0.1,0.5,0.9 for example."
    )
    season: int | None = Field(None, ge=2, description="Rows in a season. [default: estimated]")
    level_shift: float | None = Field(
        None,
        ge=0,
        description="Move training windows up and down by so many standard deviations at most. "
        "[default: from the trend]",
    )
    split: Shares = Field(
        (0.7, 0.15, 0.15),
        description="Training, validation and test part, oldest first: shares, or rows.",
    )
    time_steps: int = Field(128, ge=2, description="Steps that gradients go back in time.")
    hidden_size: HiddenSize = 32
    epochs: Epochs = 30
    patience: Patience = 8
    decay: Decay = 0.95

    @model_validator(mode="after")
    def _quantiles_have_a_median(self) -> Self:
        levels = self.quantiles
        if levels and (
            0.5 not in levels
            or list(levels) != sorted(set(levels))
            or not 0 < min(levels) <= max(levels) < 1
        ):
            raise ValueError("--quantiles: ascending, between 0 and 1, and 0.5 among them")
        return self

    @model_validator(mode="after")
    def _own_outputs_can_be_fed_back(self) -> Self:
        if self.horizon > 1 and self.inputs:
            names = ", ".join(self.inputs)
            raise ValueError(
                f"a horizon of {self.horizon} needs the future of {names}: name what is known "
                "ahead in --known, and what is to be forecast too in --targets"
            )
        return self
