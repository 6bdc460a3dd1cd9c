"""What a network is made of, as a record."""

from dataclasses import dataclass
from typing import Literal

from service.bundle.manifest import Reset

Fill = Literal["last", "forecast"]
"""What a missing value is taken for: the one before, or what the network expected."""


@dataclass(frozen=True, slots=True)
class ValuesFront:
    """F real numbers a step, one mean and scale each: the layers see (input − mean) / scale.

    With `fill`, numbers may be missing (NaN). The layers then see what a missing one is taken for,
    the mean where none came before, and F more features: 1 where a number is missing, else 0.
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    fill: Fill | None = None
    kind: Literal["values"] = "values"

    @property
    def width(self) -> int:
        return len(self.mean)

    @property
    def features(self) -> int:
        return self.width if self.fill is None else 2 * self.width

    @property
    def carried(self) -> int:
        """Numbers of the state that say what a missing value is taken for."""
        return 0 if self.fill is None else self.width


@dataclass(frozen=True, slots=True)
class TokensFront:
    """One token id below `size` a step, seen by the layers as a learnt vector of `embedding`."""

    size: int
    embedding: int
    kind: Literal["tokens"] = "tokens"

    @property
    def features(self) -> int:
        return self.embedding

    @property
    def carried(self) -> int:
        return 0


@dataclass(frozen=True, slots=True)
class ResidualHead:
    """The next values of the first K inputs as input + scale ⊙ (V h + c): a level that was never
    seen in training stays right."""

    scale: tuple[float, ...]
    kind: Literal["residual"] = "residual"

    @property
    def targets(self) -> int:
        return len(self.scale)

    @property
    def width(self) -> int:
        return self.targets


@dataclass(frozen=True, slots=True)
class QuantilesHead:
    """Quantiles of the next values of the first K inputs, those of one input side by side.

    The median is input + scale ⊙ (V h + c); every other level is the one beside it, nearer to the
    median, and softplus of a row of its own away from it: quantiles never cross.
    """

    scale: tuple[float, ...]
    levels: tuple[float, ...]
    kind: Literal["quantiles"] = "quantiles"

    @property
    def targets(self) -> int:
        return len(self.scale)

    @property
    def median(self) -> int:
        """Which of the levels is 0.5."""
        return self.levels.index(0.5)

    @property
    def width(self) -> int:
        return self.targets * len(self.levels)


@dataclass(frozen=True, slots=True)
class SoftmaxHead:
    """Probabilities of the next token, or of the classes of the whole, softmax(V h + c)."""

    width: int
    kind: Literal["softmax"] = "softmax"


@dataclass(frozen=True, slots=True)
class LabelsHead:
    """Probabilities of labels that do not exclude one another, σ(V h + c)."""

    width: int
    kind: Literal["labels"] = "labels"


Front = ValuesFront | TokensFront
Head = ResidualHead | QuantilesHead | SoftmaxHead | LabelsHead


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
        if isinstance(self.head, ResidualHead | QuantilesHead):
            self._check_targets(self.head)
        elif isinstance(self.front, ValuesFront) and self.front.fill == "forecast":
            raise ValueError("only a forecast can take the place of a missing value")

    def _check_targets(self, head: ResidualHead | QuantilesHead) -> None:
        if not isinstance(self.front, ValuesFront) or self.front.width < head.targets:
            raise ValueError("a residual head predicts the first values of the front")

    @property
    def hidden_size(self) -> int:
        """The hidden states of all layers."""
        return sum(self.hidden_sizes)

    @property
    def state_size(self) -> int:
        """S: the hidden states of all layers, then what missing values are taken for."""
        return self.hidden_size + self.front.carried
