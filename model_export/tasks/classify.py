"""The label of a whole sequence."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from hashlib import sha256
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
from model_export.data.counted import counted
from model_export.data.labelled import (
    LabelledSequences,
    Labelling,
    LabelRoles,
    load_labelled,
)
from model_export.data.source import Source
from model_export.errors import DataError
from model_export.evaluate import Predictor, evaluating
from model_export.model.config import NetworkConfig, SoftmaxHead, ValuesFront
from model_export.model.network import Network
from model_export.recipes.classify import ClassifyRecipe
from model_export.recipes.recipe import Shares
from model_export.tasks.losses import bits_of
from model_export.tasks.reading import fill_of, read_options, repairs, units_of
from model_export.tasks.sequences import answered, in_turn, notes_on_copies, padded, shuffled
from model_export.tasks.split import parts_of
from model_export.tasks.task import Batch, mean_of, ranges_of, score_of
from service.bundle.manifest import Score
from service.bundle.signatures import Classes, Values


class Classify:
    """Whole sequences in random batches; the label is asked for after every step.

    What came first says little: step t of T counts t / T. Which part a sequence belongs to follows
    from its name, so that none changes sides when more data comes.
    """

    loss_name = "bits per label, later steps counting more"

    def __init__(self, data: LabelledSequences, recipe: ClassifyRecipe) -> None:
        self.source: Source = data.source
        self._recipe = recipe
        self._data = data
        self._targets = data.labelling.targets
        self._labels = data.labelling.labels
        self._parts = _divided(data.labelling, recipe)
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
        self.input_ranges = ranges_of(rows)
        self.output = Classes(names=self._labels)
        self.config = NetworkConfig(
            front=ValuesFront(
                tuple(mean.tolist()),
                tuple(scale.tolist()),
                fill=fill_of(recipe.missing),
            ),
            head=SoftmaxHead(len(self._labels)),
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
            recipe.data,
            read_options(recipe),
            roles,
            repairs(recipe),
            lambda labelling: _divided(labelling, recipe)[0],
        )
        return cls(data, recipe)

    @property
    def held_out(self) -> str:
        return f"{len(self._parts[2])} of {len(self._sequences)} sequences, by their names"

    @property
    def read(self) -> tuple[str, ...]:
        parts = ([self._data.sequences[index] for index in part] for part in self._parts)
        notes = (*self._data.notes, *notes_on_copies(parts))
        return tuple(report_columns(self._data.columns, notes).splitlines())

    @cached_property
    def _simple(self) -> tuple[Baseline[SequenceModel], ...]:
        training, validation, _ = (
            Labelled([self._data.sequences[index] for index in part], self._targets[part])
            for part in self._parts
        )
        return sequence_models(training, validation, len(self._labels))

    @property
    def baselines(self) -> tuple[str, ...]:
        return tuple(one.description for one in self._simple)

    @property
    def samples(self) -> Mapping[str, NDArray[Any]]:
        longest = max(self._parts[2], key=lambda index: len(self._sequences[index]))
        rows: NDArray[Any] = self._sequences[longest].numpy()
        return {"": rows}

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
        total = count = 0.0
        for chosen in in_turn(self._parts[1].tolist()):
            batch = self._batch(chosen)
            assert batch.counts is not None
            with evaluating(network):
                loss, _ = self.loss(
                    network, batch.to(self._recipe.device), network.initial_state(len(chosen))
                )
            weight = float(batch.counts.sum())
            total, count = total + float(loss) * weight, count + weight
        return total / count

    def test_scores(self, network: Predictor) -> tuple[Score, ...]:
        """Of the label after the last step."""
        part = self._parts[2]
        sequences = [self._data.sequences[index] for index in part]
        answers = {one.name: one.predict(sequences) for one in self._simple}
        answers["model"] = self._answers(network, part)
        right = {who: accuracy(one, self._targets[part]) for who, one in answers.items()}
        loss = {who: log_loss(one, self._targets[part]) for who, one in answers.items()}
        return (
            score_of("accuracy", "", right, better="higher"),
            score_of("log loss", "nat", loss, headline=False),
        )

    def _answers(self, network: Predictor, part: NDArray[np.int64]) -> NDArray[np.float64]:
        """Probabilities [n, C] after the last step of each sequence."""
        found = []
        for outputs, batch in answered(network, map(self._batch, in_turn(part.tolist()))):
            assert batch.counts is not None
            last = (batch.counts > 0).sum(1) - 1
            found.append(outputs[torch.arange(len(last)), last].double().numpy())
        return np.concatenate(found)

    def _batch(self, chosen: Sequence[int]) -> Batch:
        together, lasts = padded([self._sequences[index] for index in chosen])
        lengths = lasts.sum(1, keepdim=True)
        weights = lasts * torch.arange(1, together.shape[1] + 1) / lengths
        return Batch(together, torch.from_numpy(self._targets[list(chosen)]), counts=weights)


def _divided(data: Labelling, recipe: ClassifyRecipe) -> tuple[NDArray[np.int64], ...]:
    """Indexes of the training, validation and test sequences, with some of each label in each.

    Shares are those of the numbers that names are hashed to; whole numbers of sequences are taken
    of each label in the order of these. Raises DataError, RecipeError.
    """
    places = np.array([_place_of(name) for name in data.names])
    parts: list[list[NDArray[np.int64]]] = [[], [], []]
    for label, name in enumerate(data.labels):
        indexes = np.flatnonzero(data.targets == label)
        if len(indexes) < len(parts):
            raise DataError(
                f"{recipe.data}: {counted(len(indexes), 'sequence')} of label {name!r}, at least "
                f"{len(parts)} are needed, one for each part; take the label out of the file, or "
                "give its sequences another one"
            )
        indexes = indexes[places[indexes].argsort(kind="stable")]
        found = np.split(indexes, _ends(places[indexes], recipe.split, name))[:3]
        if not all(map(len, found)):
            raise DataError(
                f"{recipe.data}: {len(indexes)} sequences of label {name!r} leave a "
                "part without any; give --split as three numbers of sequences of each label"
            )
        for part, some in zip(parts, found, strict=True):
            part.append(some)
    return tuple(np.sort(np.concatenate(part)) for part in parts)


def _ends(places: NDArray[np.float64], shares: Shares, label: str) -> list[int]:
    """Where the parts of one label end, its places in order."""
    split = parts_of(len(places), shares, f"sequences of {label!r}")
    if max(shares) > 1:
        return [split.train, split.validation, split.total]
    return [int(end) for end in np.searchsorted(places, np.cumsum(shares))]


def _place_of(name: str) -> float:
    """A number from 0 to 1 that is as good as random, and always the same for a name."""
    return int.from_bytes(sha256(name.encode()).digest()[:6]) / 2**48
