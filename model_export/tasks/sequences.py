"""Whole sequences of different lengths, side by side in batches."""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any, TypeVar

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from model_export.evaluate import Predictor, evaluating
from model_export.tasks.task import Batch

Thing = TypeVar("Thing")

_SCORED_TOGETHER = 128
_LONGEST_SHARE = 50
"""So many batches are sorted by length together, so that little of each is padding."""


def notes_on_copies(parts: Iterable[Sequence[NDArray[Any]]]) -> Iterator[str]:
    """How many sequences of each part, in the order of training, validation and test, are those of
    a part before it, number by number. What was learnt by heart scores well on them."""
    seen: set[tuple[tuple[int, ...], bytes]] = set()
    counts = []
    for part in parts:
        keys = [(one.shape, sha256(one.tobytes()).digest()) for one in part]
        counts.append(sum(key in seen for key in keys))
        seen.update(keys)
    if any(counts):
        _, validation, test = counts
        yield (
            f"exact copies of sequences of an earlier part: {validation} in the validation part, "
            f"{test} in the test part"
        )


def padded(sequences: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Sequences [T_i, …] as one [B, T, …], zeros behind their ends, and where they are not over,
    [B, T]."""
    lengths = torch.tensor([len(one) for one in sequences])
    together = pad_sequence(list(sequences), batch_first=True)
    return together, torch.arange(together.shape[1]) < lengths[:, None]


def shuffled(lengths: Tensor, batch_size: int) -> Iterator[Tensor]:
    """Indexes of all sequences in random batches of similar lengths."""
    order = torch.randperm(len(lengths))
    batches: list[Tensor] = []
    for pool in torch.split(order, batch_size * _LONGEST_SHARE):
        by_length = pool[lengths[pool].argsort(stable=True)]
        batches += torch.split(by_length, batch_size)
    for index in torch.randperm(len(batches)).tolist():
        yield batches[index]


def answered(network: Predictor, batches: Iterable[Batch]) -> Iterator[tuple[Tensor, Batch]]:
    """What a network answers to whole sequences, [B, T, O] on the CPU, batch by batch."""
    for batch in batches:
        state = network.initial_state(len(batch.input))
        with evaluating(network):
            outputs, _ = network(batch.input.to(state.device), state)
        yield outputs.cpu(), batch


def in_turn(sequences: Sequence[Thing]) -> Iterator[Sequence[Thing]]:
    """So many at once as are scored together."""
    for begin in range(0, len(sequences), _SCORED_TOGETHER):
        yield sequences[begin : begin + _SCORED_TOGETHER]


def next_steps(sequences: Sequence[Tensor]) -> Batch:
    """Every step but the last, and as target the one behind it."""
    together, lasts = padded(sequences)
    return Batch(together[:, :-1], together[:, 1:], counts=lasts[:, 1:])
