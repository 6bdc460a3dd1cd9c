"""What training hands over to export."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_export.model.network import Network
from service.bundle.manifest import Provenance, Score
from service.bundle.signatures import InputSignature, OutputSignature


@dataclass(frozen=True, slots=True)
class Curve:
    """Losses by epoch, in the unit of the training criterion."""

    loss_name: str
    training: tuple[float, ...]
    validation: tuple[float, ...]

    @property
    def best_epoch(self) -> int:
        """The epoch, counted from 1, with the lowest validation loss: the first of equals."""
        return min(range(len(self.validation)), key=self.validation.__getitem__) + 1


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A trained network with everything its bundle says about it.

    `baselines` says of each simple model what was chosen for it. `samples` are real held-out
    sequences, [T, F] float32 or [T] int64, by the names of their series. `input_ranges` are the
    least and the largest value of each input in the training part.
    """

    network: Network
    name: str
    task: str
    input: InputSignature
    output: OutputSignature
    scores: tuple[Score, ...]
    baselines: tuple[str, ...]
    provenance: Provenance
    curve: Curve
    samples: Mapping[str, NDArray[Any]]
    input_ranges: tuple[tuple[float, float], ...] = ()

    @property
    def sample(self) -> NDArray[Any]:
        """The first: what the golden vectors and the gate pictures of the report are made from."""
        return next(iter(self.samples.values()))


def sample_batch(trained: TrainedModel, *, batch: int, time: int) -> NDArray[Any]:
    """`batch` windows of `time` steps cut from the sample, [B, T, F] or [B, T], evenly spread."""
    last_start = len(trained.sample) - time
    starts = np.linspace(0, last_start, batch).astype(int)
    return np.stack([trained.sample[start : start + time] for start in starts])
