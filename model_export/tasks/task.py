"""What the training loop asks of a task."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray
from torch import Tensor

from model_export.data.source import Source
from model_export.evaluate import Predictor
from model_export.model.network import Network, NetworkConfig
from service.bundle.manifest import Score
from service.bundle.signatures import Probabilities, Tokens, Values


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows [B, T] or [B, T, F] and their targets, [B, T] or [B, T, O].

    `continues` says that each row goes on where the same row of the batch before ended, so that
    its state is carried over. The first `warm_up` steps are not scored.
    """

    input: Tensor
    target: Tensor
    continues: bool = False
    warm_up: int = 0


class Task(Protocol):
    """Data that is ready to be learnt, and how well it was learnt.

    All randomness comes from torch's default generator, whose state the loop keeps.
    """

    @property
    def loss_name(self) -> str: ...
    @property
    def config(self) -> NetworkConfig: ...
    @property
    def input(self) -> Values | Tokens: ...
    @property
    def output(self) -> Values | Probabilities: ...
    @property
    def source(self) -> Source: ...
    @property
    def held_out(self) -> str: ...
    @property
    def sample(self) -> NDArray[Any]:
        """The beginning of the test part, [T, F] float32 or [T] int64."""

    @property
    def epoch_length(self) -> int:
        """Batches in an epoch."""

    def batches(self) -> Iterator[Batch]:
        """One epoch."""

    def loss(self, scores: Tensor, target: Tensor) -> Tensor:
        """Mean over all given steps, of `Network.scores` against the batch's target."""

    def validation_loss(self, network: Network) -> float:
        """The loss on the validation part, in evaluation mode."""

    def test_scores(self, network: Predictor) -> tuple[Score, ...]:
        """The network beside its baselines on the test part."""
