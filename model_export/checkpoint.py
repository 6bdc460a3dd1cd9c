"""The state of a training run on disk, from which it goes on exactly."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from ignite.handlers import Checkpoint, DiskSaver
from torch import Tensor

from model_export.errors import CheckpointError
from model_export.recipes.recipe import Recipe

CHECKPOINT_FILE = "checkpoint.pt"
_MAY_CHANGE = {"data", "epochs", "name", "seeds"}
"""The data is compared by its SHA-256, wherever it lies; more epochs continue a finished run."""


class Identity:
    """What a run must have in common with a checkpoint that it resumes."""

    def __init__(self, recipe: Recipe, data_sha256: str) -> None:
        said = recipe.to_dict()
        self._record = {key: value for key, value in said.items() if key not in _MAY_CHANGE}
        if recipe.schedule == "cosine":
            # It knows how many epochs there will be.
            self._record["epochs"] = recipe.epochs
        self._record["data_sha256"] = data_sha256

    def state_dict(self) -> dict[str, Any]:
        return self._record

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Raises CheckpointError naming every difference."""
        differences = [
            f"{key} is {state.get(key)!r} there and {value!r} here"
            for key, value in self._record.items()
            if state.get(key) != value
        ]
        if differences:
            raise CheckpointError(f"the checkpoint is of another run: {'; '.join(differences)}")


class RandomState:
    """torch's default generators: dropout, the order of windows and their shifts come from them."""

    def __init__(self, device: str) -> None:
        self._on_gpu = device == "cuda"

    def state_dict(self) -> dict[str, Tensor]:
        state = {"torch": torch.get_rng_state()}
        return state | ({"cuda": torch.cuda.get_rng_state()} if self._on_gpu else {})

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        torch.set_rng_state(state["torch"])
        if self._on_gpu:
            torch.cuda.set_rng_state(state["cuda"])


def save_every_epoch(trainer: Engine, parts: Mapping[str, Any], run: Path) -> None:
    """Writes all `parts` (objects with `state_dict`) to the run's one checkpoint, atomically."""
    run.mkdir(parents=True, exist_ok=True)
    # Passed as a plain function, DiskSaver replaces the file in one move. As a handler, Checkpoint
    # would remove the old file before the new one is complete.
    saver = DiskSaver(run, require_empty=False)
    handler = Checkpoint(parts, saver.__call__, filename_pattern=CHECKPOINT_FILE)
    trainer.add_event_handler(Events.EPOCH_COMPLETED, handler)


def has_checkpoint(run: Path) -> bool:
    """Whether there is anything to resume."""
    return (run / CHECKPOINT_FILE).exists()


def load_checkpoint(parts: Mapping[str, Any], run: Path) -> None:
    """Puts all `parts` where the checkpoint left them, the first one first.

    Raises CheckpointError where there is no checkpoint, or it is damaged or of another run.
    """
    path = run / CHECKPOINT_FILE
    if not path.exists():
        raise CheckpointError(f"nothing to resume: there is no {path}")
    try:
        record = torch.load(path, weights_only=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"{path} is damaged; start again without --resume") from error
    missing = parts.keys() - record.keys()
    if missing:
        raise CheckpointError(f"{path} lacks {', '.join(sorted(missing))}")
    for name, part in parts.items():
        part.load_state_dict(record[name])
