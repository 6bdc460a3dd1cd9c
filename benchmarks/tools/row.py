"""A row of the table: one figure, its target, and what it was made of."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Sense = Literal["at least", "at most"]


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: `rounds` interleaved rounds with `seconds` for each load in them."""

    rounds: int
    seconds: int
    peers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """`values` has one figure for every round, none where it could not be measured.

    `figures` names the medians that the figure was made of, with their units in the names.
    """

    what: str
    values: Sequence[float]
    target: float
    sense: Sense
    unit: str = "×"
    figures: Mapping[str, float] = field(default_factory=dict)
    note: str = ""

    @property
    def value(self) -> float | None:
        return statistics.median(self.values) if self.values else None

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None where nothing was measured."""
        reached = self.reached
        return None if reached is None else reached >= 1

    @property
    def reached(self) -> float | None:
        """The figure as a share of its target: 1 just meets it, more is better."""
        if self.value is None:
            return None
        if self.sense == "at least":
            return self.value / self.target
        return self.target / self.value if self.value else math.inf


@dataclass(frozen=True, slots=True)
class Series:
    """One candidate's figures, one for each round. The name ends with their unit."""

    name: str
    values: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.values)


def compared(what: str, ours: Series, base: Series, target: float, sense: Sense) -> Row:
    """Ours / base, with what both are."""
    figures = {one.name: one.median for one in (ours, base)}
    return Row(what, ratios(ours.values, base.values), target, sense, figures=figures)


def left_out(what: str, target: float, sense: Sense, why: str, unit: str = "×") -> Row:
    """A row that could not be measured."""
    return Row(what, (), target, sense, unit, note=why)


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """Round by round, so that what disturbs a whole round cancels out."""
    return [a / b for a, b in zip(above, below, strict=True)]
