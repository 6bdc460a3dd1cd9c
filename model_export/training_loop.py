"""The training loop: gradient steps, validation, early stopping, checkpoints."""

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from ignite.handlers import EarlyStopping, ProgressBar
from ignite.metrics import Average
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from torch.optim.lr_scheduler import LambdaLR

from model_export.checkpoint import Identity, RandomState, load_checkpoint, save_every_epoch
from model_export.errors import CheckpointError, TrainingError
from model_export.model.network import Network
from model_export.recipes.recipe import Recipe
from model_export.run_folder import CurveFiles, History
from model_export.tasks.task import Batch, Task
from model_export.trained import Curve

Weights = Mapping[str, Tensor]


def fit(
    task: Task,
    recipe: Recipe,
    run: Path,
    *,
    weights: Weights | None = None,
    resume: bool = False,
    progress: bool = False,
) -> tuple[Network, Curve]:
    """The network with the weights of its best epoch, in evaluation mode on the CPU, and the
    losses. Training begins with `weights`, where some are given.

    Saves a checkpoint and the curves in `run` after every epoch. With `resume` it goes on from
    there, and ends with the very weights of a run that was never interrupted. Raises
    CheckpointError where there is nothing to resume or the recipe differs, TrainingError where the
    loss is not finite, or there is no such device.
    """
    with torch.random.fork_rng(), _fixed_threads(recipe.threads):
        torch.manual_seed(recipe.seed)
        loop = _Loop(task, recipe, progress=progress)
        if weights is not None:
            loop.network.load_state_dict(dict(weights))
        if resume:
            load_checkpoint(loop.parts, run)
        save_every_epoch(loop.trainer, loop.parts, run)
        with closing(CurveFiles(run, loop.history, anew=not resume)) as curves:
            loop.trainer.add_event_handler(Events.EPOCH_COMPLETED, curves)
            loop.run()
    loop.network.load_state_dict(loop.history.best_weights)
    return loop.network.cpu().eval(), loop.history.curve(task.loss_name)


class _Loop:
    """Network, optimizer and everything else that a checkpoint must hold, in `parts`."""

    def __init__(self, task: Task, recipe: Recipe, *, progress: bool) -> None:
        self._task = task
        self._recipe = recipe
        self.network = Network(task.config).to(_device(recipe))
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        self.schedule = LambdaLR(self.optimizer, _factor(recipe))
        self.history = History()
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
            "random": RandomState(self._recipe.device),
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
        rate = float(self.optimizer.param_groups[0]["lr"])
        self.history.record(training, validation, rate, self.network)
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
        self._device = recipe.device
        self._state: Tensor = network.initial_state(0)

    def __call__(self, _: Engine, batch: Batch) -> float:
        network, batch = self._network.train(), batch.to(self._device)
        state = self._state if batch.continues else network.initial_state(len(batch.input))
        loss, after = self._task.loss(network, batch, state)
        if not torch.isfinite(loss):
            raise TrainingError("the training loss is not finite; try a lower --learning-rate")
        self._optimizer.zero_grad()
        torch.autograd.backward(loss)
        clip_grad_norm_(network.parameters(), self._gradient_norm)
        self._optimizer.step()
        self._state = after.detach()
        return loss.item()


class _Epochs:
    """An iterable that begins a new epoch of the task whenever it is iterated."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def __iter__(self) -> Iterator[Batch]:
        return self._task.batches()


def _device(recipe: Recipe) -> torch.device:
    """Raises TrainingError where there is none of the kind."""
    if recipe.device == "cuda" and not torch.cuda.is_available():
        raise TrainingError("--device cuda: PyTorch finds no GPU here; leave it out to use the CPU")
    return torch.device(recipe.device)


def _factor(recipe: Recipe) -> Callable[[int], float]:
    """What the learning rate is multiplied with in an epoch, counted from 0."""
    if recipe.schedule == "constant":
        return lambda _: 1.0
    if recipe.schedule == "exponential":
        return lambda epoch: recipe.decay**epoch
    return lambda epoch: (1 + math.cos(math.pi * min(1.0, epoch / recipe.epochs))) / 2


@contextmanager
def _fixed_threads(threads: int) -> Iterator[None]:
    """The order in which threads add up floats decides their last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
