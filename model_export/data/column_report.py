"""What becomes of every column of a file, told before training."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["target", "known", "input", "time", "series", "session", "item", "label", "left out"]


@dataclass(frozen=True, slots=True)
class ColumnReport:
    """`low` and `high` are the range as text, None where a column has none.

    `missing` counts cells. `done` says what was changed or left out, `why` for what reason.
    """

    name: str
    role: Role
    type: str
    low: str | None
    high: str | None
    missing: int
    done: str
    why: str


def report_columns(columns: tuple[ColumnReport, ...], notes: tuple[str, ...] = ()) -> str:
    """An aligned table of plain text, at most 100 columns wide, notes below it."""
    raise NotImplementedError
