"""What all signatures have in common, and what inputs and outputs can do.

Letters for shapes are those of `service/bundle/manifest.py`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from service.bundle.signatures.sampling import Choose, Sampling
from service.errors import InvalidInput, Place
from service.records import record


class Signature(BaseModel, ABC):
    """Of the inputs or the outputs of a model; `width` is how many numbers a time step has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    if TYPE_CHECKING:
        # Not at run time: of some kinds it is a field, and pydantic lets none hide a property.
        @property
        def width(self) -> int: ...

    @property
    @abstractmethod
    def described(self) -> str:
        """In words, for people."""


class Input(Signature):
    """How what a caller sends becomes an array that the graphs take."""

    dtype: ClassVar[type[np.generic]]

    @property
    @abstractmethod
    def features(self) -> tuple[int, ...]:
        """The shape of one time step."""

    @property
    def columns(self) -> Sequence[tuple[str, str]]:
        """Names and units of the numbers of a step; none of tokens."""
        return ()

    @property
    def ahead(self) -> "Input | None":
        """What a caller knows before it happens, as inputs of their own; None where nothing is."""
        return None

    @property
    def takes_missing(self) -> bool:
        return False

    @property
    def token_count(self) -> int:
        """How many tokens there are, 0 where the inputs are none."""
        return 0

    @abstractmethod
    def decode(self, value: object, place: Place) -> NDArray[Any]:
        """One sequence [T, *features]: of what JSON has, or of an array of JSON's numbers.

        Raises InvalidInput.
        """

    @abstractmethod
    def encode_text(self, text: object, place: Place) -> NDArray[np.int64]:
        """One token a character, [T]. Raises InvalidInput, also where the model takes no text."""

    def encode_stop(self, text: str, place: Place) -> tuple[int, ...]:
        """The tokens that end a rollout. Raises InvalidInput."""
        return tuple(self.encode_text(text, place).tolist())

    def takes_matrix(self, width: int, *, missing: bool) -> bool:
        """Whether rows of so many numbers within float32, some of them perhaps missing, are inputs
        as they are."""
        return False

    @abstractmethod
    def check_shape(self, tensors: NDArray[Any], place: Place) -> None:
        """Raises InvalidInput where tensors [N, T, …] are not the inputs of N sequences."""

    @abstractmethod
    def wrong(self, tensors: NDArray[Any]) -> NDArray[np.bool_]:
        """Which numbers of such tensors cannot be used."""

    @abstractmethod
    def why_wrong(self, number: np.generic) -> str:
        """Of one of them, with what would be right."""

    def all_right(self, tensors: NDArray[Any]) -> bool:
        return not self.wrong(tensors).any()

    def token_text(self, token: int) -> Mapping[str, str]:
        """What is said of a token besides its number."""
        return {}

    def written(self, tokens: Sequence[int]) -> Mapping[str, Any]:
        """What is said of many tokens besides their numbers; nothing where they have no texts."""
        return {}

    @abstractmethod
    def example(self, inputs: NDArray[Any]) -> dict[str, Any]:
        """Inputs [T, *features] as the body of a request has them."""


@record
class FedColumn:
    """A number of an output that may be an input: the one of this name, and where it has a unit, of
    this unit."""

    name: str
    unit: str | None
    column: int


class Output(Signature):
    """What an answer says of the outputs of a model, and what of them can be fed back.

    `beside` names the field beside `outputs` that has what `say` makes of each step, if any.
    `drawn_by` are the options of a rollout that say how outputs are chosen. `looks_ahead` tells
    forecasts, which leave a session where it is, from texts that go on.
    """

    beside: ClassVar[str | None] = None
    drawn_by: ClassVar[frozenset[str]] = frozenset()
    looks_ahead: ClassVar[bool] = True
    shown_dtype: ClassVar[type[np.generic]] = np.float32
    """Of what a rollout shows."""

    @property
    def shown_width(self) -> int:
        """How many numbers a rollout shows of a step."""
        return self.width

    @property
    def says_of_inputs(self) -> bool:
        """Whether it says something that makes sense of inputs alone."""
        return False

    @property
    def token_count(self) -> int:
        """Of how many tokens the next one is chosen, 0 where none is."""
        return 0

    @property
    def fed_columns(self) -> Sequence[FedColumn]:
        """What of a step may be an input of the next one."""
        return ()

    @property
    @abstractmethod
    def compared(self) -> Sequence[tuple[str, str, slice]]:
        """Names, units and columns of what is compared between two versions."""

    def say(self, output: NDArray[np.float32], taken: Input) -> object:
        """Of one step's output [O], for the field `beside`; a kind without one is never asked."""
        raise NotImplementedError

    def chooser(self, sampling: Sampling) -> Choose:
        """From an output [O] to what a rollout shows of it and feeds back."""
        return np.asarray

    def rolled(self, shown: NDArray[Any], taken: Input) -> dict[str, Any]:
        """All that a rollout showed, as fields of its answer."""
        return {"outputs": np.ascontiguousarray(shown)}

    def rolled_one(self, shown: NDArray[Any], taken: Input) -> dict[str, Any]:
        """One step that a rollout showed, as fields of an event."""
        return {"output": np.ascontiguousarray(shown)}


def text_refused(place: Place, instead: str) -> InvalidInput:
    return InvalidInput.at(place, f"this model takes no text; {instead}")


def check_units(names: Sequence[str], units: Sequence[str]) -> None:
    """Raises ValueError where not every name has a unit."""
    if len(units) != len(names):
        raise ValueError(f"{len(names)} names but {len(units)} units")


def with_units(names: Sequence[str], units: Sequence[str]) -> str:
    """In words; no unit, or the unit "1", goes without saying."""
    pairs = zip(names, units, strict=True)
    return ", ".join(name if unit in ("", "1") else f"{name} [{unit}]" for name, unit in pairs)


def one_by_one(names: Sequence[str], units: Sequence[str]) -> list[tuple[str, str, slice]]:
    """What is compared where each number of an output is, by itself."""
    pairs = zip(names, units, strict=True)
    return [(name, unit, slice(at, at + 1)) for at, (name, unit) in enumerate(pairs)]


def check_distinct(names: Sequence[str]) -> None:
    """Raises ValueError for a name that comes twice: nobody could tell which one is meant."""
    if len(set(names)) < len(names):
        twice = next(name for index, name in enumerate(names) if name in names[:index])
        raise ValueError(f"{twice!r} is there twice")
