"""What recipes have in common whose data is a table."""

from typing import Annotated, Literal

from pydantic import Field

from model_export.recipes.recipe import Recipe

Missing = Literal["refuse", "last", "forecast"]

Delimiter = Annotated[str | None, Field(description="Between cells. [default: found]")]
DecimalMark = Annotated[
    Literal[".", ","] | None, Field(description="The sign before a fraction. [default: found]")
]
Thousands = Annotated[str | None, Field(description="The sign between thousands. [default: found]")]
Header = Annotated[
    bool | None, Field(description="Whether the first row has the names. [default: found]")
]
TimeFormat = Annotated[
    str | None,
    Field(description="Of times, as in strptime: %d/%m/%Y %H:%M. [default: found]"),
]
"""How a file is written: options of every task whose data is a table."""


class TableRecipe(Recipe):
    """How a CSV or Parquet file is read, and which faults of it are repaired."""

    time: str | None = Field(None, description="The column of times. [default: found]")
    series: str | None = Field(None, description="The column that tells stacked series apart.")
    delimiter: Delimiter = None
    decimal: DecimalMark = None
    thousands: Thousands = None
    header: Header = None
    time_format: TimeFormat = None
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
