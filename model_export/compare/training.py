"""Training one network on one problem."""

import math
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from model_export.compare.cells import Recurrent
from model_export.compare.problem import Batch, Part, Problem

EVALUATE_EVERY = 50
GRADIENT_NORM = 1.0
_CHUNK = 256
"""Held-out sequences that are run at once."""


@dataclass(frozen=True, slots=True)
class Training:
    """What became of a network.

    `curve` holds (step, validation error). `solved_at` is the first of two evaluations in a row
    below the problem's threshold. `step_seconds` is the median of the processor time of a step.
    `diverged` says that a loss was not finite.
    """

    curve: tuple[tuple[int, float], ...]
    solved_at: int | None
    step_seconds: float
    diverged: bool


def train(
    network: Recurrent,
    problem: Problem,
    *,
    learning_rate: float,
    steps: int,
    batch_size: int,
    seed: int,
) -> Training:
    """Adam with clipped gradients, until `steps` are done, or the problem is solved.

    Leaves the network with the weights of its lowest validation error.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(network.parameters(), learning_rate)
    history = _History(network, problem)
    durations = []
    diverged = False
    for step in range(1, steps + 1):
        start = time.process_time()
        diverged = not _gradient_step(
            network, problem, optimizer, problem.batch(batch_size, generator)
        )
        durations.append(time.process_time() - start)
        if diverged:
            break
        if step % EVALUATE_EVERY == 0 or step == steps:
            history.evaluate(step)
            if history.solved:
                break
    history.restore_best()
    return Training(tuple(history.curve), history.solved_at, float(np.median(durations)), diverged)


@torch.no_grad()
def held_out_error(network: Recurrent, problem: Problem, part: Part) -> float:
    """The error of a network on a held-out part, in the problem's own measure."""
    batch = problem.held_out(part)
    answers = len(batch.targets)
    outputs = [network(chunk, answers) for chunk in torch.split(batch.inputs, _CHUNK, dim=1)]
    return problem.error(torch.cat(outputs, dim=1), batch.targets)


def _gradient_step(
    network: Recurrent, problem: Problem, optimizer: torch.optim.Optimizer, batch: Batch
) -> bool:
    """False where the loss or a gradient is not finite; the weights are then left as they are."""
    outputs = network(batch.inputs, len(batch.targets))
    loss = problem.losses(outputs, batch.targets).mean()
    optimizer.zero_grad()
    torch.autograd.backward(loss)
    norm = clip_grad_norm_(network.parameters(), GRADIENT_NORM)
    if not torch.isfinite(loss + norm):
        return False
    optimizer.step()
    return True


class _History:
    """Validation errors so far, and the weights of the lowest."""

    def __init__(self, network: Recurrent, problem: Problem) -> None:
        self._network = network
        self._problem = problem
        self._best = math.inf
        self._best_weights = self._weights()
        self._below = 0
        self.curve: list[tuple[int, float]] = []
        self.solved_at: int | None = None

    @property
    def solved(self) -> bool:
        return self.solved_at is not None

    def evaluate(self, step: int) -> None:
        error = held_out_error(self._network, self._problem, "validation")
        self.curve.append((step, error))
        if error < self._best:
            self._best, self._best_weights = error, self._weights()
        threshold = self._problem.traits.solved_below
        self._below = self._below + 1 if threshold is not None and error < threshold else 0
        if self._below == 2 and not self.solved:
            self.solved_at = self.curve[-2][0]

    def restore_best(self) -> None:
        self._network.load_state_dict(self._best_weights)

    def _weights(self) -> dict[str, Tensor]:
        return {name: weight.clone() for name, weight in self._network.state_dict().items()}
