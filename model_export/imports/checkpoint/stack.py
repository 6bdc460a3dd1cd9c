"""A model as its checkpoint describes it: stages one behind the other, weights in float64.

Shapes: B batch, T time steps, C the width of the values between two stages, F and O that of the
first and the last, H the hidden size, V the size of a vocabulary.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Embedding:
    """Rows of `weight` [V, C] in the place of token ids."""

    name: str
    weight: Array


@dataclass(frozen=True, slots=True)
class Direction:
    """One nn.GRU layer in one direction, as nn.GRU stores it: reset, keep, candidate.

    input_weights [3H, C], hidden_weights [3H, H]; both biases [3H], zero where the file has none.
    """

    input_weights: Array
    hidden_weights: Array
    input_biases: Array
    hidden_biases: Array

    @property
    def hidden_size(self) -> int:
        return int(self.hidden_weights.shape[1])


@dataclass(frozen=True, slots=True)
class Gru:
    """One layer over [B, T, C]: forward, or forward and backward side by side [B, T, 2H]."""

    name: str
    directions: tuple[Direction, ...]


@dataclass(frozen=True, slots=True)
class Linear:
    """y = weight x + bias, weight [O, C], bias [O]."""

    name: str
    weight: Array
    bias: Array | None


@dataclass(frozen=True, slots=True)
class BatchNorm:
    """nn.BatchNorm1d in evaluation: (x − mean) / sqrt(variance + epsilon) · weight + bias, [C]."""

    name: str
    mean: Array
    variance: Array
    weight: Array
    bias: Array
    epsilon: float


@dataclass(frozen=True, slots=True)
class LayerNorm:
    """nn.LayerNorm over the last axis; weight and bias [C]."""

    name: str
    weight: Array
    bias: Array
    epsilon: float


@dataclass(frozen=True, slots=True)
class PRelu:
    """x where positive, slope · x elsewhere; slope [1] or [C]."""

    name: str
    slope: Array


@dataclass(frozen=True, slots=True)
class Activation:
    """A function of single values, or a softmax of the last axis; `value` is its parameter."""

    kind: str
    value: float


@dataclass(frozen=True, slots=True)
class Pool:
    """From [B, T, C] to [B, C].

    `last` takes the last step. `final` takes what nn.GRU calls h_n: of a backward direction, its
    state after the first step. `mean` and `max` go over all steps.
    """

    kind: str


@dataclass(frozen=True, slots=True)
class Scaling:
    """(x − centre) / spread + low of raw inputs, or its inverse for outputs; arrays [1] or [C]."""

    centre: Array
    spread: Array
    low: float
    inverse: bool = False


Stage = Embedding | Gru | Linear | BatchNorm | LayerNorm | PRelu | Activation | Pool | Scaling


@dataclass(frozen=True, slots=True)
class Stack:
    """`input_width` is F, or V where tokens come in; `output_width` is O."""

    stages: tuple[Stage, ...]
    input_width: int
    output_width: int

    @property
    def takes_tokens(self) -> bool:
        return isinstance(self.stages[0], Embedding)

    @property
    def every_step(self) -> bool:
        """Whether the output is [B, T, O], not [B, O]."""
        return not any(isinstance(stage, Pool) for stage in self.stages)
