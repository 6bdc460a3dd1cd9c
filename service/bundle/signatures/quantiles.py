"""Forecasts that say how sure they are."""

from functools import cached_property
from itertools import pairwise
from typing import Literal, Self

from pydantic import Field, model_validator

from service.bundle.signatures.signature import Signature, check_distinct, check_units, with_units

MEDIAN = 0.5


class Quantiles(Signature):
    """Quantiles of each target, [B, T, width]: all `levels` of the first target, of the second, and
    so on, in the targets' units."""

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
