"""What recipes have in common whose data is a table."""

from typing import Literal

from pydantic import Field

from model_export.recipes.recipe import Recipe

Missing = Literal["refuse", "last", "forecast"]


class TableRecipe(Recipe):
    """How a CSV or Parquet file is read, and which faults of it are repaired."""

    time: str | None = Field(None, description="The column of times. [default: found]")
    series: str | None = Field(None, description="The column that tells stacked series apart.")
    delimiter: str | None = Field(None, description="Between cells. [default: found]")
    decimal: Literal[".", ","] | None = Field(
        None, description="The sign before a fraction. [default: found]"
    )
    thousands: str | None = Field(None, description="The sign between thousands. [default: found]")
    header: bool | None = Field(
        None, description="Whether the first row has the names. [default: found]"
    )
    time_format: str | None = Field(
        None, description="Of times, as in strptime: %d/%m/%Y %H:%M. [default: found]"
    )
    order: Literal["refuse", "sort"] = Field(
        "refuse", description="What to do about rows that are not in the order of time."
    )
    duplicates: Literal["refuse", "first", "last", "mean"] = Field(
        "refuse", description="What to do about several rows of one time."
    )
    gaps: Literal["refuse", "missing", "keep"] = Field(
        "refuse",
        description="What to do about times that are left out: rows of missing values, or nothing.",
    )
    outliers: Literal["keep", "missing"] = Field(
        "keep", description="What to do about values far from all others."
    )
    constant: Literal["refuse", "drop"] = Field(
        "refuse", description="What to do about columns that never change."
    )
    short: Literal["refuse", "drop"] = Field(
        "refuse", description="What to do about series of very few rows."
    )
