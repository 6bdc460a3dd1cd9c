"""The next character of a text."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model_export.baselines.baseline import Baseline
from model_export.baselines.tokens import TokenModel, bits, token_models
from model_export.data.column_report import note_lines
from model_export.data.source import Source
from model_export.data.text import Text, load_text
from model_export.errors import DataError
from model_export.evaluate import Predictor, stream
from model_export.model.config import NetworkConfig, SoftmaxHead, TokensFront
from model_export.model.network import Network
from model_export.recipes.characters import CharactersRecipe
from model_export.tasks.losses import bits_of
from model_export.tasks.split import split_of
from model_export.tasks.task import Batch, Ranges
from service.bundle.manifest import Score
from service.bundle.signatures import Probabilities, Tokens

_SAMPLE = 2048
_VALIDATION_ROWS = 16


class Characters:
    """Truncated back-propagation through time: B rows read the training part side by side.

    Each row carries its state from batch to batch, so that contexts longer than `time_steps` are
    seen although gradients end there. The text's tail is held out.
    """

    loss_name = "bits per character"

    def __init__(self, text: Text, recipe: CharactersRecipe) -> None:
        self._tokens = torch.from_numpy(text.tokens)
        self._recipe = recipe
        self._notes = text.notes
        self.source: Source = text.source
        self.split = split_of(len(text.tokens), recipe.split, "characters")
        self._check_length()
        size = len(text.vocabulary)
        self.input = Tokens(size=size, vocabulary=text.vocabulary)
        self.output = Probabilities(width=size)
        self.config = NetworkConfig(
            front=TokensFront(size, recipe.embedding),
            head=SoftmaxHead(size),
            hidden_sizes=recipe.hidden_sizes,
            reset=recipe.reset,
            dropout=recipe.dropout,
        )

    @classmethod
    def load(
        cls, recipe: CharactersRecipe, vocabulary: tuple[str, ...] | None = None
    ) -> "Characters":
        """Raises DataError where the text cannot be read or is too short, or has a character that
        the `vocabulary` lacks."""
        return cls(load_text(recipe.data, vocabulary), recipe)

    @property
    def read(self) -> tuple[str, ...]:
        return (
            f"{self.source.description}: {len(self._tokens):,} characters, {self.input.size} "
            "different ones",
            *(line for note in self._notes for line in note_lines(note)),
        )

    @cached_property
    def _simple(self) -> tuple[Baseline[TokenModel], ...]:
        return token_models(self._tokens.numpy(), self.split, self.input.size)

    @property
    def baselines(self) -> tuple[str, ...]:
        return tuple(one.description for one in self._simple)

    @property
    def held_out(self) -> str:
        count = self.split.total - self.split.validation
        return f"the last {count} of {self.split.total} characters"

    @property
    def samples(self) -> Mapping[str, NDArray[Any]]:
        held_out: NDArray[Any] = self._tokens[self.split.validation :].numpy()
        return {"": held_out[self._line_begin(held_out) :][:_SAMPLE]}

    def _line_begin(self, tokens: NDArray[Any]) -> int:
        """The first character of a line that leaves a whole sample; 0 where there is none."""
        vocabulary = self.input.vocabulary
        if vocabulary is None or "\n" not in vocabulary:
            return 0
        ends = np.flatnonzero(tokens[: len(tokens) - _SAMPLE] == vocabulary.index("\n"))
        return int(ends[0]) + 1 if len(ends) else 0

    @property
    def input_ranges(self) -> Ranges:
        return ()

    @property
    def epoch_length(self) -> int:
        rows, time = self._recipe.batch_size, self._recipe.time_steps
        return (self.split.train - 1 - time) // (rows * time)

    def batches(self) -> Iterator[Batch]:
        """Rows begin at a random offset, so that windows are cut elsewhere in every epoch."""
        rows, time = self._recipe.batch_size, self._recipe.time_steps
        offset = int(torch.randint(time, ()))
        row_length = self.epoch_length * time
        starts = torch.arange(rows)[:, None] * row_length + offset
        for index in range(self.epoch_length):
            window = self._tokens[starts + index * time + torch.arange(time + 1)]
            yield Batch(window[:, :-1], window[:, 1:], continues=index > 0)

    def loss(self, network: Network, batch: Batch, state: Tensor) -> tuple[Tensor, Tensor]:
        scored = network.scored(batch.input, state)
        return bits_of(scored.scores, batch.target).mean(), scored.states[:, -1]

    def validation_loss(self, network: Network) -> float:
        """The part is read in several rows at once, for speed; each begins without a past."""
        part = self._tokens[self.split.train : self.split.validation]
        rows = max(1, min(_VALIDATION_ROWS, len(part) // 512))
        return _bits(network, part[: len(part) // rows * rows].view(rows, -1))

    def test_scores(self, network: Predictor) -> tuple[Score, ...]:
        """Bits per character; the state is carried through the validation part into the test."""
        train, validation = self.split.train, self.split.validation
        tokens = self._tokens
        model = _bits(network, tokens[None, train : self.split.total], skip=validation - train - 1)
        text = tokens[: self.split.total].numpy()
        baselines = {one.name: float(bits(one.predict(text, validation))) for one in self._simple}
        score = Score(metric="bits/char", unit="bit", model=model, baselines=baselines)
        return (score,)

    def _check_length(self) -> None:
        if self.epoch_length < 1 or self.split.total < 200:
            raise DataError(
                f"{self.source.description} has {self.split.total} characters, too few for "
                f"batches of {self._recipe.batch_size} × {self._recipe.time_steps}; "
                "lower --batch-size or --time-steps"
            )


def _bits(network: Predictor, tokens: Tensor, skip: int = 0) -> float:
    """Mean bits per character of tokens [B, N], each row's first `skip` predictions left out."""
    targets = tokens[:, 1:]
    chunks, position = [], 0
    for output in stream(network, tokens[:, :-1]):
        target = targets[:, position : position + output.shape[1]]
        chunks.append(output.gather(2, target[..., None])[..., 0])
        position += output.shape[1]
    chosen = torch.cat(chunks, dim=1)[:, skip:].double()
    return float(-chosen.log2().mean())
