"""Which labels are on at the next step."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from model_export.baselines.baseline import Baseline
from model_export.baselines.labels import LabelModel, label_models, nats_per_step
from model_export.data.column_report import note_lines
from model_export.data.rolls import Rolls, load_rolls
from model_export.data.source import Source
from model_export.errors import DataError
from model_export.evaluate import Predictor
from model_export.model.config import LabelsHead, NetworkConfig, ValuesFront
from model_export.model.network import Network
from model_export.recipes.multilabel import MultilabelRecipe
from model_export.tasks.sequences import answered, in_turn, next_steps, notes_on_copies, shuffled
from model_export.tasks.task import Batch, Ranges, mean_of, score_of
from service.bundle.manifest import Score
from service.bundle.signatures import Labels, Values

_LEAST = 1e-7
"""The least probability of what happened that is told from zero: float32 rounds σ to 0 and 1."""


class Multilabel:
    """Whole sequences in random batches; each step but the first is predicted from those before.

    The setting of Boulanger-Lewandowski et al. (2012, arXiv 1206.6392) for polyphonic music. The
    parts are those of the data's maker.
    """

    loss_name = "negative log-likelihood per step, in nats"

    def __init__(self, rolls: Rolls, recipe: MultilabelRecipe) -> None:
        self.source: Source = rolls.source
        self._recipe = recipe
        self._train, self._validation, self._test = (
            [torch.from_numpy(one) for one in part if len(one) > 1]
            for part in (rolls.train, rolls.validation, rolls.test)
        )
        if not all(self._all_parts):
            raise DataError(
                f"{rolls.source.description}: every part needs a sequence of two steps or more"
            )
        self._rolls = rolls
        width = len(rolls.names)
        self.input = Values(names=rolls.names, units=("",) * width)
        self.output = Labels(names=rolls.names)
        # Few labels are on at a time, and layers that see little but zeros learn slowly.
        scale = _spread(rolls.train) / recipe.input_gain
        self.config = NetworkConfig(
            front=ValuesFront((0.0,) * width, (scale,) * width),
            head=LabelsHead(width),
            hidden_sizes=recipe.hidden_sizes,
            reset=recipe.reset,
            dropout=recipe.dropout,
        )

    @classmethod
    def load(cls, recipe: MultilabelRecipe) -> "Multilabel":
        """Raises DataError where the rolls cannot be read."""
        return cls(load_rolls(recipe.data), recipe)

    @property
    def _all_parts(self) -> tuple[Sequence[Tensor], ...]:
        return self._train, self._validation, self._test

    @property
    def held_out(self) -> str:
        count = len(self._train) + len(self._validation) + len(self._test)
        return f"{len(self._test)} of {count} sequences, the data's own test part"

    @property
    def read(self) -> tuple[str, ...]:
        parts = zip(("training", "validation", "test"), self._all_parts, strict=True)
        return (
            *(
                f"{name}: {len(part)} sequences, {sum(map(len, part))} steps"
                for name, part in parts
            ),
            *(line for note in self._notes for line in note_lines(note)),
        )

    @property
    def _notes(self) -> Iterator[str]:
        rolls = self._rolls
        short = sum(len(one) < 2 for one in (*rolls.train, *rolls.validation, *rolls.test))
        if short:
            yield f"sequences of one step left out: {short}"
        yield from notes_on_copies([one.numpy() for one in part] for part in self._all_parts)

    @cached_property
    def _simple(self) -> tuple[Baseline[LabelModel], ...]:
        return label_models(self._rolls.train, self._rolls.validation)

    @property
    def baselines(self) -> tuple[str, ...]:
        return tuple(one.description for one in self._simple)

    @property
    def samples(self) -> Mapping[str, NDArray[Any]]:
        rows: NDArray[Any] = max(self._test, key=len).numpy()
        return {"": rows}

    @property
    def input_ranges(self) -> Ranges:
        return ()

    @property
    def epoch_length(self) -> int:
        return -(-len(self._train) // self._recipe.batch_size)

    def batches(self) -> Iterator[Batch]:
        lengths = torch.tensor([len(one) for one in self._train])
        for chosen in shuffled(lengths, self._recipe.batch_size):
            yield next_steps([self._train[index] for index in chosen.tolist()])

    def loss(self, network: Network, batch: Batch, state: Tensor) -> tuple[Tensor, Tensor]:
        scored = network.scored(batch.input, state)
        nats = functional.binary_cross_entropy_with_logits(
            scored.scores, batch.target, reduction="none"
        )
        return mean_of(nats.sum(-1), batch.counts), scored.states[:, -1]

    def validation_loss(self, network: Network) -> float:
        return _nats(network, self._validation)

    def test_scores(self, network: Predictor) -> tuple[Score, ...]:
        """Negative log-likelihood of a step: summed over labels, mean over all steps but the first
        of a sequence."""
        figures = {one.name: nats_per_step(one.predict, self._rolls.test) for one in self._simple}
        return (score_of("NLL/step", "nat", figures | {"model": _nats(network, self._test)}),)


def _spread(rolls: Sequence[NDArray[np.float32]]) -> float:
    """Standard deviation of all labels together, 1 where they never change.

    It is one for all: divided by its own, a rare label would outweigh the others.
    """
    return float(np.concatenate(rolls).std(dtype=np.float64)) or 1.0


def _nats(network: Predictor, sequences: Sequence[Tensor]) -> float:
    total = count = 0.0
    for outputs, batch in answered(network, map(next_steps, in_turn(sequences))):
        assert batch.counts is not None
        probabilities, on = outputs[batch.counts].double(), batch.target[batch.counts] > 0
        happened = torch.where(on, probabilities, 1 - probabilities)
        total -= float(happened.clamp(min=_LEAST).log().sum())
        count += len(on)
    return total / count
