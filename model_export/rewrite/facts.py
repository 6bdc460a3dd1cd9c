"""What is known of every value of a model that runs over whole sequences."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from numpy.typing import NDArray

from model_export.rewrite.axes import TIME, Axes, Symbol, index_of


class Source(IntEnum):
    """Where a value comes from; a later one wins where two meet."""

    STATIC = 0
    """From the file alone, or from the lengths of the inputs."""
    SESSION = 1
    """From constants that a session is given at its beginning."""
    STREAM = 2
    """From the sequence, step by step: it has a time axis."""
    LAST = 3
    """From the sequence, of its last step only: it has no time axis."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One value.

    A STREAM has `time` + `extra` steps. Step i of it needs the inputs up to step i + `late` and no
    later ones. With `late` below zero its first steps need no input at all: they are padding, and
    hold `padding`. `value` holds the numbers of a STATIC value, or its sizes as expressions, where
    they are known. A STATIC or SESSION value with a time axis is the same at every step.
    """

    axes: Axes
    source: Source = Source.STATIC
    late: int = 0
    extra: int = 0
    padding: float = 0.0
    value: NDArray[Any] | None = None
    lengths: frozenset[Symbol] = frozenset()
    """What the numbers of a STATIC value depend on, beside the file."""

    @property
    def time_axis(self) -> int | None:
        return index_of(self.axes, TIME)

    @property
    def is_stream(self) -> bool:
        return self.source is Source.STREAM

    def with_axes(self, axes: Sequence[tuple[Any, ...]]) -> "Fact":
        """The same in another layout; its numbers are not known any more."""
        return replace(self, axes=tuple(axes), value=None)


@dataclass(frozen=True, slots=True)
class Whole:
    """A value that needs whole sequences, and what about it does.

    `is_final` says that whole sequences would not do either.
    """

    reason: str
    is_final: bool = False


class NeedsWhole(Exception):
    """Raised by a rule: a node mixes time steps in a way that no session can follow.

    The message goes on behind "operator 'name' (Type) …".
    """


class NotAlone(NeedsWhole):
    """Raised by a rule: what a node answers to a sequence is not decided by that sequence.

    It mixes the sequences of a batch, or draws random numbers.
    """
