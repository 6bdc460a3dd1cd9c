"""Forecasts that say how sure they are."""

from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from typing import Literal, Self

from pydantic import Field, model_validator

from service.bundle.signatures.signature import (
    FedColumn,
    Output,
    check_distinct,
    check_units,
    one_by_one,
    with_units,
)

MEDIAN = 0.5


class Quantiles(Output):
    """Quantiles of each target, [B, T, width]: all `levels` of the first target, of the second, and
    so on, in the targets' units. Their medians are fed back."""

    kind: Literal["quantiles"] = "quantiles"
    names: tuple[str, ...] = Field(min_length=1)
    units: tuple[str, ...]
    levels: tuple[float, ...] = Field(min_length=1)

    @cached_property
    def width(self) -> int:
        return len(self.names) * len(self.levels)

    @property
    def described(self) -> str:
        levels = ", ".join(map(str, self.levels))
        return f"{with_units(self.names, self.units)}, quantiles {levels}"

    @property
    def fed_columns(self) -> Sequence[FedColumn]:
        levels, median = len(self.levels), self.levels.index(MEDIAN)
        pairs = zip(self.names, self.units, strict=True)
        return [
            FedColumn(name, unit, target * levels + median)
            for target, (name, unit) in enumerate(pairs)
        ]

    @property
    def compared(self) -> Sequence[tuple[str, str, slice]]:
        pairs = zip(self.names, self.units, strict=True)
        named = [(f"{name} {level}", unit) for name, unit in pairs for level in self.levels]
        return one_by_one(*zip(*named, strict=True))

    @model_validator(mode="after")
    def _one_unit_each(self) -> Self:
        check_units(self.names, self.units)
        check_distinct(self.names)
        return self

    @model_validator(mode="after")
    def _levels_ascend(self) -> Self:
        if not all(0 < level < 1 for level in self.levels):
            raise ValueError("levels lie between 0 and 1")
        if not all(one < other for one, other in pairwise(self.levels)):
            raise ValueError("levels ascend")
        if MEDIAN not in self.levels:
            raise ValueError("one of the levels is 0.5, the median")
        return self
