"""What the training loop asks of a task."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from model_export.data.source import Source
from model_export.evaluate import Predictor
from model_export.model.config import NetworkConfig
from model_export.model.network import Network
from service.bundle.manifest import Score
from service.bundle.signatures import InputSignature, OutputSignature

Ranges = tuple[tuple[float, float], ...]
"""The least and the largest value of each input."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Sequences [B, T] or [B, T, F] and their targets, [B, T], [B, T, O] or [B].

    `counts` [B, T] is 1 where a step is scored, else 0; without it all are. `continues` says that
    each row goes on where the same row of the batch before ended, so that its state is carried
    over. `ahead` are the rows [B, h, F] behind the inputs, where a task looks further.
    """

    input: Tensor
    target: Tensor
    counts: Tensor | None = None
    continues: bool = False
    ahead: Tensor | None = None

    def to(self, device: str) -> "Batch":
        if device == "cpu":
            return self
        counts = None if self.counts is None else self.counts.to(device)
        ahead = None if self.ahead is None else self.ahead.to(device)
        return Batch(self.input.to(device), self.target.to(device), counts, self.continues, ahead)


class Task(Protocol):
    """Data that is ready to be learnt, and how well it was learnt.

    All randomness comes from torch's default generator, whose state the loop keeps.
    """

    @property
    def loss_name(self) -> str: ...
    @property
    def config(self) -> NetworkConfig: ...
    @property
    def input(self) -> InputSignature: ...
    @property
    def output(self) -> OutputSignature: ...
    @property
    def source(self) -> Source: ...
    @property
    def held_out(self) -> str: ...
    @property
    def read(self) -> tuple[str, ...]:
        """Lines of what was read of the data: every column, and what was done about it."""

    @property
    def baselines(self) -> tuple[str, ...]:
        """The simple models that it is scored beside, and what was chosen for them."""

    @property
    def samples(self) -> Mapping[str, NDArray[Any]]:
        """The beginning of the test part, [T, F] float32 or [T] int64; of several series one each,
        by their names, the longest first."""

    @property
    def input_ranges(self) -> Ranges:
        """The least and the largest value of each input in the training part; none of tokens, and
        of labels that are on or off."""

    @property
    def epoch_length(self) -> int:
        """Batches in an epoch."""

    def batches(self) -> Iterator[Batch]:
        """One epoch."""

    def loss(self, network: Network, batch: Batch, state: Tensor) -> tuple[Tensor, Tensor]:
        """The mean loss over all steps that count, and the state [B, S] after them."""

    def validation_loss(self, network: Network) -> float:
        """The loss on the validation part, in evaluation mode."""

    def test_scores(self, network: Predictor) -> tuple[Score, ...]:
        """The network beside its baselines on the test part."""


def ranges_of(rows: NDArray[np.floating]) -> Ranges:
    """Of the columns of rows [N, F], missing values left out."""
    least, largest = np.nanmin(rows, axis=0), np.nanmax(rows, axis=0)
    return tuple(zip(least.tolist(), largest.tolist(), strict=True))


def score_of(
    metric: str,
    unit: str,
    figures: Mapping[str, float],
    *,
    better: Literal["lower", "higher"] = "lower",
    headline: bool = True,
) -> Score:
    """From the figure of the "model" and those of the simple models beside it, by name."""
    simple = {name: figure for name, figure in figures.items() if name != "model"}
    return Score(
        metric=metric,
        unit=unit,
        model=figures["model"],
        baselines=simple,
        better=better,
        headline=headline,
    )


def mean_of(losses: Tensor, counts: Tensor | None) -> Tensor:
    """Of losses [B, T], those that count."""
    if counts is None:
        return losses.mean()
    return (losses * counts).sum() / counts.sum().clamp(min=1)
