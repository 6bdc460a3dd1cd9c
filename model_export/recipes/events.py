"""The next item of a log of events."""

from typing import Literal

from pydantic import Field

from model_export.recipes.recipe import Recipe, Shares


class EventsRecipe(Recipe):
    """The next item of a session, from those before (GRU4Rec's setting, Hidasi et al. 2016)."""

    task: Literal["events"] = "events"
    data: str = Field(description="A CSV or Parquet file with a row for each event.")
    session: str = Field("session", description="The column that tells sessions apart.")
    time: str = Field("time", description="The column of times, or of numbers in order.")
    item: str = Field("item", description="The column of items.")
    delimiter: str | None = Field(None, description="Between cells. [default: found]")
    header: bool | None = Field(
        None, description="Whether the first row has the names. [default: found]"
    )
    min_count: int = Field(
        5, ge=1, description="Items seen less often in the training part become `(other)`."
    )
    at: int = Field(20, ge=1, description="k of recall@k and MRR@k.")
    embedding: int = Field(64, ge=1, description="Width of an item's vector.")
    split: Shares = Field(
        (0.8, 0.1, 0.1), description="Training, validation and test sessions by their start."
    )
    hidden_size: int = Field(128, ge=1, description="Width of each layer.")
    dropout: float = Field(0.2, ge=0, lt=1, description="After each layer, while training.")
    epochs: int = Field(20, ge=1, description="At most so many; early stopping may end sooner.")
    patience: int = Field(3, ge=1, description="Epochs to wait for a better validation loss.")
    decay: float = Field(0.85, gt=0, le=1, description="Factor of the exponential schedule.")
    batch_size: int = Field(64, ge=1, description="Sessions in a batch.")
