"""The next item of a log of events."""

from typing import Literal

from pydantic import Field

from model_export.recipes.recipe import (
    BatchSize,
    Decay,
    Dropout,
    Epochs,
    HiddenSize,
    Patience,
    Recipe,
    Shares,
)
from model_export.recipes.table import DecimalMark, Delimiter, Header, Thousands, TimeFormat


class EventsRecipe(Recipe):
    """The next item of a session, from those before (GRU4Rec's setting, Hidasi et al. 2016)."""

    task: Literal["events"] = "events"
    data: str = Field(description="A CSV or Parquet file with a row for each event.")
    session: str = Field("session", description="The column that tells sessions apart.")
    time: str = Field("time", description="The column of times, or of numbers in order.")
    item: str = Field("item", description="The column of items.")
    delimiter: Delimiter = None
    decimal: DecimalMark = None
    thousands: Thousands = None
    header: Header = None
    time_format: TimeFormat = None
    min_count: int = Field(
        5, ge=1, description="Items seen less often in the training part become `(other)`."
    )
    at: int = Field(20, ge=1, description="k of recall@k and MRR@k.")
    embedding: int = Field(64, ge=1, description="Width of an item's vector.")
    split: Shares = Field(
        (0.8, 0.1, 0.1), description="Training, validation and test sessions by their start."
    )
    hidden_size: HiddenSize = 128
    dropout: Dropout = 0.2
    epochs: Epochs = 20
    patience: Patience = 3
    decay: Decay = 0.85
    batch_size: BatchSize = 64
