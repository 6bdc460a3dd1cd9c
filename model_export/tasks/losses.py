"""Losses of several tasks."""

import math

from torch import Tensor
from torch.nn import functional


def bits_of(logits: Tensor, target: Tensor) -> Tensor:
    """−log2 of the target's probability, [B, T], for logits [B, T, V] and targets [B, T]."""
    nats = functional.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="none")
    return nats.view(target.shape) / math.log(2)
