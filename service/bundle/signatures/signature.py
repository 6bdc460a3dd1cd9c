"""What all signatures have in common.

Letters for shapes are those of `service/bundle/manifest.py`.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict


class Signature(BaseModel, ABC):
    """Of the inputs or the outputs of a model; `width` is how many numbers a time step has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @property
    @abstractmethod
    def described(self) -> str:
        """In words, for people."""


def check_units(names: Sequence[str], units: Sequence[str]) -> None:
    """Raises ValueError where not every name has a unit."""
    if len(units) != len(names):
        raise ValueError(f"{len(names)} names but {len(units)} units")


def with_units(names: Sequence[str], units: Sequence[str]) -> str:
    """In words; the unit "1" goes without saying."""
    pairs = zip(names, units, strict=True)
    return ", ".join(name if unit == "1" else f"{name} [{unit}]" for name, unit in pairs)


def check_distinct(names: Sequence[str]) -> None:
    """Raises ValueError for a name that comes twice: nobody could tell which one is meant."""
    for index, name in enumerate(names):
        if name in names[:index]:
            raise ValueError(f"{name!r} is there twice")
