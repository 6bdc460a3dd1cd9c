"""The training loop: gradient steps, validation, early stopping, checkpoints."""

import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from ignite.handlers import EarlyStopping, ProgressBar
from ignite.metrics import Average
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from model_export.checkpoint import Identity, RandomState, load_checkpoint, save_every_epoch
from model_export.errors import CheckpointError, TrainingError
from model_export.model.network import Network
from model_export.recipe import Recipe
from model_export.tasks.task import Batch, Task
from model_export.trained import Curve

THREADS = 2
"""Fixed, since the order in which threads add up floats decides their last bits."""


def fit(
    task: Task, recipe: Recipe, run: Path, *, resume: bool = False, progress: bool = False
) -> tuple[Network, Curve]:
    """The network with the weights of its best epoch, in evaluation mode, and the losses.

    Saves a checkpoint in `run` after every epoch. With `resume` it goes on from there, and ends
    with the very weights of a run that was never interrupted. Raises CheckpointError where there
    is nothing to resume or the recipe differs, TrainingError where the loss is not finite.
    """
    with torch.random.fork_rng(devices=[]), _fixed_threads():
        torch.manual_seed(recipe.seed)
        loop = _Loop(task, recipe, progress=progress)
        if resume:
            load_checkpoint(loop.parts, run)
        save_every_epoch(loop.trainer, loop.parts, run)
        loop.run()
    loop.network.load_state_dict(loop.history.best_weights)
    return loop.network.eval(), loop.history.curve(task.loss_name)


class _Loop:
    """Network, optimizer and everything else that a checkpoint must hold, in `parts`."""

    def __init__(self, task: Task, recipe: Recipe, *, progress: bool) -> None:
        self._task = task
        self._recipe = recipe
        self.network = Network(task.config)
        self.optimizer = torch.optim.Adam(self.network.parameters(), recipe.learning_rate)
        self.schedule = torch.optim.lr_scheduler.ExponentialLR(self.optimizer, recipe.decay)
        self.history = _History()
        self.trainer = Engine(_GradientStep(task, self.network, self.optimizer, recipe))
        # An exception is reported by whoever catches it; the engine would log it a second time.
        self.trainer.logger.disabled = True
        # None leaves the bar out where nobody watches; the line after each epoch is always there.
        self._bar = ProgressBar(disable=None) if progress else None
        self._stopping = EarlyStopping(
            recipe.patience, lambda _: self.history.validation[-1], self.trainer, mode="min"
        )
        self._stopping.logger.setLevel(logging.WARNING)
        self._connect()

    @property
    def parts(self) -> Mapping[str, Any]:
        return {
            "identity": Identity(self._recipe, self._task.source.sha256),
            "trainer": self.trainer,
            "network": self.network,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
            "stopping": self._stopping,
            "history": self.history,
            "random": RandomState(),
        }

    def run(self) -> None:
        """Up to the recipe's last epoch, unless early stopping comes first or came already."""
        epochs, done = self._recipe.epochs, self.history.epochs
        if done > epochs:
            raise CheckpointError(f"{done} epochs are done already, more than --epochs {epochs}")
        if done == epochs or self._stopping.counter >= self._recipe.patience:
            return
        self.trainer.run(
            _Epochs(self._task), max_epochs=epochs, epoch_length=self._task.epoch_length
        )

    def _connect(self) -> None:
        Average().attach(self.trainer, "loss")
        if self._bar is not None:
            self._bar.attach(self.trainer, output_transform=lambda loss: {"loss": loss})
        self.trainer.add_event_handler(Events.EPOCH_COMPLETED, self._validate)
        self.trainer.add_event_handler(Events.EPOCH_COMPLETED, self._stopping)

    def _validate(self, trainer: Engine) -> None:
        training = float(trainer.state.metrics["loss"])
        validation = self._task.validation_loss(self.network)
        if not math.isfinite(validation):
            raise TrainingError("the validation loss is not finite; try a lower --learning-rate")
        self.history.record(training, validation, self.network)
        self.schedule.step()
        if self._bar is not None:
            self._bar.log_message(
                f"epoch {self.history.epochs:3}   training {training:.4f}   "
                f"validation {validation:.4f}   ({self._task.loss_name})"
            )


class _GradientStep:
    """One step of the optimizer; keeps the state for a batch that continues the last one."""

    def __init__(
        self, task: Task, network: Network, optimizer: torch.optim.Optimizer, recipe: Recipe
    ) -> None:
        self._task = task
        self._network = network
        self._optimizer = optimizer
        self._gradient_norm = recipe.gradient_norm
        self._state: Tensor = network.initial_state(0)

    def __call__(self, _: Engine, batch: Batch) -> float:
        network = self._network.train()
        state = self._state if batch.continues else network.initial_state(len(batch.input))
        scores, states = network.scores(batch.input, state)
        loss = self._task.loss(scores[:, batch.warm_up :], batch.target[:, batch.warm_up :])
        if not torch.isfinite(loss):
            raise TrainingError("the training loss is not finite; try a lower --learning-rate")
        self._optimizer.zero_grad()
        torch.autograd.backward(loss)
        clip_grad_norm_(network.parameters(), self._gradient_norm)
        self._optimizer.step()
        self._state = states[:, -1].detach()
        return loss.item()


class _History:
    """Losses so far, and the weights that did best on the validation part."""

    def __init__(self) -> None:
        self.training: list[float] = []
        self.validation: list[float] = []
        self.best_weights: dict[str, Tensor] = {}

    @property
    def epochs(self) -> int:
        return len(self.validation)

    def record(self, training: float, validation: float, network: Network) -> None:
        if validation < min(self.validation, default=math.inf):
            self.best_weights = {k: v.clone() for k, v in network.state_dict().items()}
        self.training.append(training)
        self.validation.append(validation)

    def curve(self, loss_name: str) -> Curve:
        return Curve(loss_name, tuple(self.training), tuple(self.validation))

    def state_dict(self) -> dict[str, Any]:
        return {
            "training": self.training,
            "validation": self.validation,
            "best_weights": self.best_weights,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.training = list(state["training"])
        self.validation = list(state["validation"])
        self.best_weights = dict(state["best_weights"])


class _Epochs:
    """An iterable that begins a new epoch of the task whenever it is iterated."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def __iter__(self) -> Iterator[Batch]:
        return self._task.batches()


@contextmanager
def _fixed_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        yield
    finally:
        torch.set_num_threads(before)
