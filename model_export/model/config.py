"""What a network is made of, as a record."""

from dataclasses import dataclass
from typing import Literal

from service.bundle.manifest import Reset


@dataclass(frozen=True, slots=True)
class ValuesFront:
    """F real numbers a step, one mean and scale each: the layers see (input − mean) / scale."""

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    kind: Literal["values"] = "values"

    @property
    def width(self) -> int:
        return len(self.mean)

    @property
    def features(self) -> int:
        return self.width


@dataclass(frozen=True, slots=True)
class TokensFront:
    """One token id below `size` a step, seen by the layers as a learnt vector of `embedding`."""

    size: int
    embedding: int
    kind: Literal["tokens"] = "tokens"

    @property
    def features(self) -> int:
        return self.embedding


@dataclass(frozen=True, slots=True)
class ResidualHead:
    """The next values as input + scale ⊙ (V h + c): a level never seen in training stays right."""

    scale: tuple[float, ...]
    kind: Literal["residual"] = "residual"

    @property
    def width(self) -> int:
        return len(self.scale)


@dataclass(frozen=True, slots=True)
class SoftmaxHead:
    """Probabilities of the next token, softmax(V h + c)."""

    width: int
    kind: Literal["softmax"] = "softmax"


Front = ValuesFront | TokensFront
Head = ResidualHead | SoftmaxHead


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Front, stacked GRU layers (widths in `hidden_sizes`) and head.

    `dropout` is the probability of dropping a layer's output, on its way to the next layer or the
    head, while training.
    """

    front: Front
    head: Head
    hidden_sizes: tuple[int, ...]
    reset: Reset = "before"
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if not self.hidden_sizes or min(self.hidden_sizes) < 1:
            raise ValueError(f"hidden sizes must be positive, got {self.hidden_sizes}")
        if isinstance(self.head, ResidualHead) and (
            not isinstance(self.front, ValuesFront) or self.front.width != self.head.width
        ):
            raise ValueError("a residual head predicts exactly the values of the front")

    @property
    def state_size(self) -> int:
        """S, the sum of the hidden sizes."""
        return sum(self.hidden_sizes)
