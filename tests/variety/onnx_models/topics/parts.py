"""What many models of the catalogue are made of."""

from typing import Any

import torch
from torch import Tensor, nn


def gru(inputs: int, units: int, layers: int = 1, **more: Any) -> nn.GRU:
    return nn.GRU(inputs, units, layers, **{"batch_first": True, **more})


def with_head(run: Any, **parts: Any) -> nn.Module:
    """A GRU of 8 units over 3 numbers a step, and a head of 2, where `parts` says nothing else."""
    from tests.variety.onnx_models.exported import Net  # noqa: PLC0415

    return Net(run, **{"gru": gru(3, 8), "head": nn.Linear(8, 2), **parts})


def over_time(module: nn.Module, x: Tensor) -> Tensor:
    """A module that takes [B, F, T], on [B, T, F]."""
    made: Tensor = module(x.transpose(1, 2))
    return made.transpose(1, 2)


def causal(x: Tensor, frames: int, value: float = 0.0) -> Tensor:
    """[B, F, T] with padding before it."""
    return torch.nn.functional.pad(x, (frames, 0), value=value)
