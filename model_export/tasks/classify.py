"""The label of a whole sequence."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model_export.baselines.baseline import Baseline
from model_export.baselines.summary import (
    Labelled,
    SequenceModel,
    accuracy,
    log_loss,
    sequence_models,
)
from model_export.data.column_report import report_columns
from model_export.data.labelled import LabelledSequences, LabelRoles, load_labelled
from model_export.data.source import Source
from model_export.errors import DataError
from model_export.evaluate import Predictor, evaluating
from model_export.model.config import NetworkConfig, SoftmaxHead, ValuesFront
from model_export.model.network import Network
from model_export.recipes.classify import ClassifyRecipe
from model_export.tasks.losses import bits_of
from model_export.tasks.reading import read_options, repairs, units_of
from model_export.tasks.sequences import padded, shuffled
from model_export.tasks.split import split_of
from model_export.tasks.task import Batch, mean_of
from service.bundle.manifest import Score
from service.bundle.signatures import Classes, Values

_SPLIT_SEED = 0
"""The same sequences are held out for every seed of a training run."""


class Classify:
    """Whole sequences in random batches; the label is asked for after every step.

    What came first says little: step t of T counts t / T. Sequences are divided at random, each
    label alike.
    """

    loss_name = "bits per label, later steps counting more"

    def __init__(self, data: LabelledSequences, recipe: ClassifyRecipe) -> None:
        self.source: Source = data.source
        self._recipe = recipe
        self._data = data
        self._parts = _divided(data, recipe)
        self._sequences = [torch.from_numpy(one.astype(np.float32)) for one in data.sequences]
        rows = np.concatenate([data.sequences[index] for index in self._parts[0]])
        mean, scale = np.nanmean(rows, axis=0), np.nanstd(rows, axis=0)
        for name, deviation in zip(data.inputs, scale, strict=True):
            if not deviation > 0:
                raise DataError(
                    f"column {name!r} never changes in the training part; leave it out by naming "
                    "the others in --inputs"
                )
        units = units_of(recipe.units, len(data.inputs))
        self.input = Values(names=data.inputs, units=units, missing=recipe.missing != "refuse")
        self.output = Classes(names=data.labels)
        self.config = NetworkConfig(
            front=ValuesFront(
                tuple(mean.tolist()),
                tuple(scale.tolist()),
                fill=None if recipe.missing == "refuse" else recipe.missing,
            ),
            head=SoftmaxHead(len(data.labels)),
            hidden_sizes=recipe.hidden_sizes,
            reset=recipe.reset,
            dropout=recipe.dropout,
        )

    @classmethod
    def load(cls, recipe: ClassifyRecipe) -> "Classify":
        """Raises DataError where the sequences cannot be read or learnt from."""
        assert recipe.series is not None
        roles = LabelRoles(recipe.series, recipe.label, recipe.time, recipe.inputs)
        data = load_labelled(
            recipe.data, read_options(recipe), roles, repairs(recipe, recipe.missing)
        )
        return cls(data, recipe)

    @property
    def held_out(self) -> str:
        return f"{len(self._parts[2])} of {len(self._sequences)} sequences, each label alike"

    @property
    def read(self) -> tuple[str, ...]:
        return tuple(report_columns(self._data.columns, self._data.notes).splitlines())

    @cached_property
    def _simple(self) -> tuple[Baseline[SequenceModel], ...]:
        training, validation, _ = (
            Labelled([self._data.sequences[index] for index in part], self._data.targets[part])
            for part in self._parts
        )
        return sequence_models(training, validation, len(self._data.labels))

    @property
    def baselines(self) -> tuple[str, ...]:
        return tuple(one.description for one in self._simple)

    @property
    def sample(self) -> NDArray[Any]:
        longest = max(self._parts[2], key=lambda index: len(self._sequences[index]))
        rows: NDArray[Any] = self._sequences[longest].numpy()
        return rows

    @property
    def epoch_length(self) -> int:
        return -(-len(self._parts[0]) // self._recipe.batch_size)

    def batches(self) -> Iterator[Batch]:
        part = torch.from_numpy(self._parts[0])
        lengths = torch.tensor([len(self._sequences[index]) for index in part.tolist()])
        for chosen in shuffled(lengths, self._recipe.batch_size):
            yield self._batch(part[chosen].tolist())

    def loss(self, network: Network, batch: Batch, state: Tensor) -> tuple[Tensor, Tensor]:
        scored = network.scored(batch.input, state)
        targets = batch.target[:, None].expand(scored.scores.shape[:2])
        return mean_of(bits_of(scored.scores, targets), batch.counts), scored.states[:, -1]

    def validation_loss(self, network: Network) -> float:
        """Nats of the label after the last step."""
        found, targets = self._answers(network, self._parts[1])
        return log_loss(found, targets)

    def test_scores(self, network: Predictor) -> tuple[Score, ...]:
        """Of the label after the last step."""
        found, targets = self._answers(network, self._parts[2])
        sequences = [self._data.sequences[index] for index in self._parts[2]]
        answers = {"model": found} | {one.name: one.predict(sequences) for one in self._simple}
        return tuple(
            Score(
                metric=name,
                unit=unit,
                model=figures.pop("model"),
                baselines=figures,
                better="higher" if name == "accuracy" else "lower",
                headline=name == "accuracy",
            )
            for name, unit, measure in (
                ("accuracy", "", accuracy),
                ("log loss", "nat", log_loss),
            )
            for figures in [{who: measure(one, targets) for who, one in answers.items()}]
        )

    def _answers(
        self, network: Predictor, part: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Probabilities [n, C] after the last step of each sequence, and the labels [n]."""
        found = []
        for index in part.tolist():
            state = network.initial_state(1)
            with evaluating(network):
                outputs, _ = network(self._sequences[index][None].to(state.device), state)
            found.append(outputs[0, -1].double().cpu().numpy())
        return np.array(found), self._data.targets[part]

    def _batch(self, chosen: Sequence[int]) -> Batch:
        together, lasts = padded([self._sequences[index] for index in chosen])
        lengths = lasts.sum(1, keepdim=True)
        weights = lasts * torch.arange(1, together.shape[1] + 1) / lengths
        return Batch(together, torch.from_numpy(self._data.targets[list(chosen)]), counts=weights)


def _divided(data: LabelledSequences, recipe: ClassifyRecipe) -> tuple[NDArray[np.int64], ...]:
    """Indexes of the training, validation and test sequences. Raises DataError, RecipeError."""
    random = np.random.default_rng(_SPLIT_SEED)
    parts: list[list[NDArray[np.int64]]] = [[], [], []]
    for label, name in enumerate(data.labels):
        indexes = random.permutation(np.flatnonzero(data.targets == label))
        split = split_of(len(indexes), recipe.split, f"sequences of {name!r}")
        found = np.split(indexes, [split.train, split.validation, split.total])[:3]
        if not all(map(len, found)):
            raise DataError(
                f"{data.source.description}: {len(indexes)} sequences of label {name!r} are too "
                "few for a training, a validation and a test part"
            )
        for part, some in zip(parts, found, strict=True):
            part.append(some)
    return tuple(np.sort(np.concatenate(part)) for part in parts)
