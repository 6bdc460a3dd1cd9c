"""Running a network over data as a caller streams it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import torch
from torch import Tensor

CHUNK = 1024


class Predictor(Protocol):
    """What can be scored: a `Network`, or a bundle's step graph as the service runs it."""

    training: bool

    def __call__(self, inputs: Tensor, state: Tensor, /) -> tuple[Tensor, Tensor]: ...
    def initial_state(self, batch: int) -> Tensor: ...
    def eval(self) -> object: ...
    def train(self, mode: bool, /) -> object: ...


@contextmanager
def evaluating(network: Predictor) -> Iterator[None]:
    """Evaluation mode, and no gradients, for as long as it lasts."""
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        network.train(was_training)


def walk(network: Predictor, inputs: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Outputs and states for inputs [B, T, …] in chunks of time, the state carried from the
    beginning throughout.

    Chunks bound the memory: [B, ≤ CHUNK, O] and [B, ≤ CHUNK, S] each.
    """
    state = network.initial_state(len(inputs))
    for chunk in torch.split(inputs, CHUNK, dim=1):
        with evaluating(network):
            output, states = network(chunk.to(state.device), state)
        state = states[:, -1]
        yield output.cpu(), states.cpu()


def stream(network: Predictor, inputs: Tensor) -> Iterator[Tensor]:
    """The outputs of `walk`."""
    for output, _ in walk(network, inputs):
        yield output
