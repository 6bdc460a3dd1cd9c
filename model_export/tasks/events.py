"""The next item of a session, from those before."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model_export.baselines.baseline import Baseline
from model_export.baselines.items import ItemModel, item_models, ranks_of
from model_export.baselines.ranking import mean_reciprocal_rank, ranks, recall
from model_export.data.column_report import report_columns
from model_export.data.events import OTHER, EventLog, EventRoles, load_events
from model_export.data.source import Source
from model_export.errors import DataError
from model_export.evaluate import Predictor
from model_export.model.config import NetworkConfig, SoftmaxHead, TokensFront
from model_export.model.network import Network
from model_export.recipes.events import EventsRecipe
from model_export.tasks.losses import bits_of
from model_export.tasks.reading import read_options
from model_export.tasks.sequences import answered, in_turn, next_steps, shuffled
from model_export.tasks.split import split_of
from model_export.tasks.task import Batch, Ranges, mean_of, score_of
from service.bundle.manifest import Score
from service.bundle.signatures import Probabilities, Tokens

_SAMPLE = 512


class Events:
    """Sessions in random batches; each event but the first is predicted from those before it.

    The setting of GRU4Rec (Hidasi et al. 2016, arXiv 1511.06939), with all items scored. The
    latest sessions are held out.
    """

    loss_name = "bits per item"

    def __init__(self, log: EventLog, recipe: EventsRecipe) -> None:
        self.source: Source = log.source
        self._recipe = recipe
        self._log = log
        self.split = split_of(len(log.sessions), recipe.split, "sessions")
        self._sessions = [torch.from_numpy(one) for one in log.sessions]
        self._lengths = torch.tensor([len(one) for one in log.sessions])
        if self.split.train < recipe.batch_size:
            raise DataError(
                f"{log.source.description}: {self.split.train} sessions to train on, too few for "
                f"--batch-size {recipe.batch_size}"
            )
        size = len(log.items)
        self.input = Tokens(size=size, vocabulary=log.items, token="item")
        self.output = Probabilities(width=size)
        self.config = NetworkConfig(
            front=TokensFront(size, recipe.embedding),
            head=SoftmaxHead(size),
            hidden_sizes=recipe.hidden_sizes,
            reset=recipe.reset,
            dropout=recipe.dropout,
        )

    @classmethod
    def load(cls, recipe: EventsRecipe, vocabulary: tuple[str, ...] | None = None) -> "Events":
        """With a `vocabulary` all other items are `(other)`. Raises DataError where the log cannot
        be read or is too short."""
        log = load_events(
            recipe.data,
            read_options(recipe),
            EventRoles(recipe.session, recipe.time, recipe.item),
            min_count=recipe.min_count,
            train=recipe.split[0],
            items=vocabulary,
        )
        return cls(log, recipe)

    @property
    def held_out(self) -> str:
        count = self.split.total - self.split.validation
        return f"the last {count} of {self.split.total} sessions"

    @property
    def read(self) -> tuple[str, ...]:
        return tuple(report_columns(self._log.columns, self._log.notes).splitlines())

    @cached_property
    def _simple(self) -> tuple[Baseline[ItemModel], ...]:
        sessions, split = self._log.sessions, self.split
        training, validation = sessions[: split.train], sessions[split.train : split.validation]
        return item_models(training, validation, self.input.size, self._unknown)

    @property
    def baselines(self) -> tuple[str, ...]:
        return tuple(one.description for one in self._simple)

    @property
    def samples(self) -> Mapping[str, NDArray[Any]]:
        rows: NDArray[Any] = np.concatenate(self._log.sessions[self.split.validation :])[:_SAMPLE]
        return {"": rows}

    @property
    def input_ranges(self) -> Ranges:
        return ()

    @property
    def epoch_length(self) -> int:
        return -(-self.split.train // self._recipe.batch_size)

    def batches(self) -> Iterator[Batch]:
        for chosen in shuffled(self._lengths[: self.split.train], self._recipe.batch_size):
            yield next_steps([self._sessions[index] for index in chosen.tolist()])

    def loss(self, network: Network, batch: Batch, state: Tensor) -> tuple[Tensor, Tensor]:
        scored = network.scored(batch.input, state)
        return mean_of(bits_of(scored.scores, batch.target), batch.counts), scored.states[:, -1]

    def validation_loss(self, network: Network) -> float:
        bits = count = 0.0
        sessions = self._sessions[self.split.train : self.split.validation]
        for probabilities, targets in _predicted(network, sessions):
            chosen = probabilities[torch.arange(len(targets)), targets].double()
            bits -= float(chosen.log2().sum())
            count += len(targets)
        return bits / count

    def test_scores(self, network: Predictor) -> tuple[Score, ...]:
        """Recall and mean reciprocal rank of every item but the first of a session. `(other)` is no
        recommendation: it is never right."""
        sessions = self._log.sessions[self.split.validation : self.split.total]
        at, unknown = self._recipe.at, self._unknown
        found = {"model": self._ranks(network, unknown)}
        for one in self._simple:
            found[one.name] = ranks_of(one.predict, sessions, self.input.size, unknown)
        measures = {"recall": recall, "MRR": mean_reciprocal_rank}
        return tuple(
            score_of(
                f"{name}@{at}",
                "",
                {who: measure(ranked, at) for who, ranked in found.items()},
                better="higher",
            )
            for name, measure in measures.items()
        )

    def _ranks(self, network: Predictor, unknown: int | None) -> NDArray[np.float64]:
        sessions = self._sessions[self.split.validation : self.split.total]
        return np.concatenate(
            [
                ranks(scores.numpy(), targets.numpy(), unknown)
                for scores, targets in _predicted(network, sessions)
            ]
        )

    @property
    def _unknown(self) -> int | None:
        return self._log.items.index(OTHER) if OTHER in self._log.items else None


def _predicted(network: Predictor, sessions: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    """Probabilities [n, V] of the next item and what it was [n], session after session."""
    for outputs, batch in answered(network, map(next_steps, in_turn(sessions))):
        assert batch.counts is not None
        yield outputs[batch.counts], batch.target[batch.counts]
