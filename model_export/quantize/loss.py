"""What rounding the weights costs: against PyTorch's golden vectors, and on the held-out data."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from model_export.errors import DataError, RecipeError
from model_export.recipes.registry import recipe_of
from model_export.start import vocabulary_of
from model_export.tasks.registry import load_task
from service.bundle.manifest import Manifest, Score
from service.engine.engine import Engine


@dataclass(frozen=True, slots=True)
class Differences:
    """Largest absolute differences from PyTorch: of outputs in their own units, of states."""

    output: float
    state: float


def golden_differences(engine: Engine) -> Differences:
    """Run the step graph over the golden sequences, its state fed back."""
    golden = engine.bundle.golden()
    state = golden["state"].astype(np.float32)
    output_difference = state_difference = 0.0
    for t in range(golden["input"].shape[1]):
        steps = engine.step(golden["input"][:, t], state, gates=False)
        state = steps.state
        output_off = np.abs(steps.output - golden["output"][:, t]).max()
        state_off = np.abs(state - golden["states"][:, t]).max()
        output_difference = max(output_difference, float(output_off))
        state_difference = max(state_difference, float(state_off))
    return Differences(output_difference, state_difference)


def held_out_scores(engine: Engine, manifest: Manifest, data: str | None) -> tuple[Score, ...]:
    """The scores of training, of the step graph; `data` replaces the file named in the recipe.

    Raises DataError where the data cannot be had, or is not that of the training.
    """
    provenance = manifest.provenance
    if provenance is None:
        raise DataError("the manifest has no provenance, so that the held-out data is unknown")
    try:
        recipe = recipe_of(provenance.hyperparameters | ({} if data is None else {"data": data}))
    except RecipeError as error:
        raise DataError(
            f"the manifest's hyperparameters are no recipe of this release: {error}; --unscored "
            "does without the scores"
        ) from None
    task = load_task(recipe, vocabulary=vocabulary_of(manifest))
    if task.source.sha256 != provenance.data_sha256 or task.input != manifest.input:
        raise DataError(f"{recipe.data} is not the data that the model was trained on")
    return task.test_scores(StepByStep(engine))


class StepByStep:
    """A bundle's step graph in the place of a network, as the service runs it for a session."""

    training = False

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __call__(self, inputs: Tensor, state: Tensor, /) -> tuple[Tensor, Tensor]:
        """Outputs [B, T, O] and states [B, T, S] for inputs [B, T, F] or [B, T]."""
        current, outputs, states = state.numpy(), [], []
        for t in range(inputs.shape[1]):
            steps = self._engine.step(inputs[:, t].numpy(), current, gates=False)
            current = steps.state
            outputs.append(steps.output)
            states.append(steps.state)
        return torch.from_numpy(np.stack(outputs, 1)), torch.from_numpy(np.stack(states, 1))

    def initial_state(self, batch: int) -> Tensor:
        return torch.from_numpy(self._engine.initial_states(batch))

    def eval(self) -> Self:
        return self

    def train(self, _: bool, /) -> Self:
        return self
