"""From the last layer's hidden state to what a caller gets.

A head gives `scores`, which a loss is made for, and from them `outputs`. `base` are the values that
came in, without gaps, which a forecast adds to.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

from model_export.model.config import Head, LabelsHead, QuantilesHead, ResidualHead, SoftmaxHead


class HeadModule(nn.Linear, ABC):
    """V h + c."""

    @abstractmethod
    def outputs(self, scores: Tensor, base: Tensor, /) -> Tensor:
        """In the caller's units, or probabilities, [..., O]; `base` is [..., F]."""


class ResidualModule(HeadModule):
    """Scores are the steps that the targets take, in units of `scale` [K]."""

    scale: Tensor

    def __init__(self, hidden_size: int, config: ResidualHead) -> None:
        super().__init__(hidden_size, config.targets)
        self._targets = config.targets
        self.register_buffer("scale", torch.tensor(config.scale))

    def outputs(self, scores: Tensor, base: Tensor, /) -> Tensor:
        return self._targets_of(base) + self.scale * scores

    def median(self, scores: Tensor) -> Tensor:
        """The step that is fed back, [..., K]."""
        return scores

    def _targets_of(self, base: Tensor) -> Tensor:
        return base if base.shape[-1] == self._targets else base[..., : self._targets]


class QuantilesModule(HeadModule):
    """Scores are quantiles of the steps that the targets take, in units of `scale` [K]."""

    scale: Tensor
    spread: Tensor
    repeat: Tensor

    def __init__(self, hidden_size: int, config: QuantilesHead) -> None:
        super().__init__(hidden_size, config.width)
        self._targets, self._median = config.targets, config.median
        self.register_buffer("scale", torch.tensor(config.scale))
        self.register_buffer("repeat", _repeat(config), persistent=False)
        self.register_buffer("spread", _spread(config), persistent=False)

    def forward(self, hidden: Tensor) -> Tensor:
        raw = super().forward(hidden)
        medians, distances = raw[..., : self._targets], raw[..., self._targets :]
        return medians @ self.repeat + functional.softplus(distances) @ self.spread

    def outputs(self, scores: Tensor, base: Tensor, /) -> Tensor:
        return base[..., : self._targets] @ self.repeat + (self.scale @ self.repeat) * scores

    def median(self, scores: Tensor) -> Tensor:
        """The step that is fed back, [..., K]."""
        return scores[..., self._median :: self.out_features // self._targets]


class SoftmaxModule(HeadModule):
    def __init__(self, hidden_size: int, config: SoftmaxHead) -> None:
        super().__init__(hidden_size, config.width)

    def outputs(self, scores: Tensor, _: Tensor, /) -> Tensor:
        return scores.softmax(-1)


class LabelsModule(HeadModule):
    def __init__(self, hidden_size: int, config: LabelsHead) -> None:
        super().__init__(hidden_size, config.width)

    def outputs(self, scores: Tensor, _: Tensor, /) -> Tensor:
        # ONNX Runtime's Sigmoid is off by up to 3e-9, far too much for a label that is rarely on.
        return scores.neg().exp().add(1).reciprocal()


def head_module(hidden_size: int, config: Head) -> HeadModule:
    if isinstance(config, ResidualHead):
        return ResidualModule(hidden_size, config)
    if isinstance(config, QuantilesHead):
        return QuantilesModule(hidden_size, config)
    if isinstance(config, LabelsHead):
        return LabelsModule(hidden_size, config)
    return SoftmaxModule(hidden_size, config)


def _repeat(config: QuantilesHead) -> Tensor:
    """[K, K · Q] of zeros and ones: a number for each target becomes one for each level."""
    return torch.eye(config.targets).repeat_interleave(len(config.levels), dim=1)


def _spread(config: QuantilesHead) -> Tensor:
    """[K · (Q − 1), K · Q]: the way from the median to each level, of the ways between levels."""
    count, middle = len(config.levels), config.median
    one = torch.zeros(count - 1, count)
    for way in range(count - 1):
        if way < middle:
            one[way, : way + 1] = -1
        else:
            one[way, way + 1 :] = 1
    return torch.kron(torch.eye(config.targets), one)
