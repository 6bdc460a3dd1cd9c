"""A log of events: sessions of items in the order of their times."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_export.data.column_report import ColumnReport
from model_export.data.frame import ReadOptions
from model_export.data.source import Source

OTHER = "(other)"


@dataclass(frozen=True, slots=True)
class EventRoles:
    """Names of columns: which session an event belongs to, when it was, and of what."""

    session: str = "session"
    time: str = "time"
    item: str = "item"


@dataclass(frozen=True, slots=True)
class EventLog:
    """`sessions` of [n] int64 item ids, n ≥ 2, in the order of their `starts` [S] (microseconds).

    Sessions [0, train) are for training, then validation up to `validation`, then test: no
    training session starts after a later part's. `items[id]` is the item's name; those too rare in
    training are `OTHER`.
    """

    items: tuple[str, ...]
    sessions: tuple[NDArray[np.int64], ...]
    starts: NDArray[np.datetime64]
    columns: tuple[ColumnReport, ...]
    source: Source
    notes: tuple[str, ...]


def load_events(
    data: str,
    options: ReadOptions | None = None,
    roles: EventRoles | None = None,
    *,
    min_count: int = 5,
    train: float = 0.7,
) -> EventLog:
    """`min_count`: an item seen less often in the first `train` of the sessions becomes `OTHER`.

    Raises DataError where a role has no column, or a cell of one is missing.
    """
    raise NotImplementedError
