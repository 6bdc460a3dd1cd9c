"""Running a network over data as a caller streams it, and showing its scores."""

from collections.abc import Iterable, Iterator
from typing import Protocol

import torch
from torch import Tensor

from service.bundle.manifest import Score

CHUNK = 1024


class Predictor(Protocol):
    """What can be scored: a `Network`, or a bundle's step graph as the service runs it."""

    training: bool

    def __call__(self, inputs: Tensor, state: Tensor, /) -> tuple[Tensor, Tensor]: ...
    def initial_state(self, batch: int) -> Tensor: ...
    def eval(self) -> object: ...
    def train(self, mode: bool, /) -> object: ...


def stream(network: Predictor, inputs: Tensor) -> Iterator[Tensor]:
    """Outputs for inputs [B, T, …] in chunks of time, the state carried from zeros throughout.

    Chunks bound the memory: [B, ≤ CHUNK, O] each. The network is in evaluation mode meanwhile.
    """
    was_training = network.training
    network.eval()
    state = network.initial_state(len(inputs))
    with torch.inference_mode():
        for chunk in torch.split(inputs, CHUNK, dim=1):
            output, states = network(chunk, state)
            state = states[:, -1]
            yield output
    network.train(was_training)


def score_table(scores: Iterable[Score]) -> str:
    """One line for each score: the model, then its baselines. Lower is better."""
    lines = []
    for score in scores:
        figures = {"model": score.model} | score.baselines
        columns = "   ".join(f"{name} {value:.4g}" for name, value in figures.items())
        lines.append(f"{f'{score.metric} [{score.unit}]':28}{columns}")
    return "\n".join(lines)
