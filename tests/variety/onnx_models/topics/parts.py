"""What many models of the catalogue are made of."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from tests.variety.onnx_models.exported import Net, Run


def gru(
    inputs: int,
    units: int,
    layers: int = 1,
    *,
    bias: bool = True,
    dropout: float = 0.0,
    bidirectional: bool = False,
) -> nn.GRU:
    """One that takes the batch first."""
    return nn.GRU(
        inputs,
        units,
        layers,
        bias=bias,
        batch_first=True,
        dropout=dropout,
        bidirectional=bidirectional,
    )


def with_head(run: Run, **parts: nn.Module | Tensor) -> nn.Module:
    """A GRU of 8 units over 3 numbers a step, and a head of 2, where `parts` says nothing else."""
    return Net(run, **{"gru": gru(3, 8), "head": nn.Linear(8, 2), **parts})


def headed(run: Run) -> Callable[[], nn.Module]:
    """What makes a module whose head answers to `run`."""
    return lambda: with_head(lambda m, x: m.head(run(m, x)))


def over_time(module: nn.Module, x: Tensor) -> Tensor:
    """A module that takes [B, F, T], on [B, T, F]."""
    made: Tensor = module(x.transpose(1, 2))
    return made.transpose(1, 2)


def causal(x: Tensor, frames: int, value: float = 0.0) -> Tensor:
    """[B, F, T] with padding before it."""
    return torch.nn.functional.pad(x, (frames, 0), value=value)
