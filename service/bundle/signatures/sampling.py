"""What comes next: one token, or any number of labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Choose = Callable[[NDArray[np.float32]], NDArray[Any]]
"""From an output [O] to what is shown of it."""

LIKELY = 0.5
"""A label at least as likely is expected."""

_COLDEST = 1e-300
"""Every lower temperature chooses as this one does: two float32 probabilities that differ have
logarithms at least 6e-8 apart, and the less likely has no chance left. Nothing overflows at it."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens or labels are chosen. Temperature 0 takes the most likely token, or all likely
    labels; `seed` makes it certain which ones are drawn; `stop` ends the rollout after one of these
    token sequences."""

    seed: int
    temperature: float = 1.0
    top_k: int | None = None
    stop: tuple[tuple[int, ...], ...] = ()


def ends_with(
    shown: Sequence[NDArray[Any]] | NDArray[Any], stop: Sequence[tuple[int, ...]]
) -> bool:
    """Whether the tokens that were shown end with one of these sequences."""
    return any(tuple(int(one) for one in shown[-len(end) :]) == end for end in stop)


class Chooser:
    """From probabilities [V] to the next token, int64."""

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling
        self._random = np.random.Generator(np.random.PCG64(sampling.seed))

    def __call__(self, probabilities: NDArray[np.float32]) -> NDArray[Any]:
        sampling = self._sampling
        if sampling.temperature == 0:
            return np.asarray(np.argmax(probabilities), np.int64)
        with np.errstate(divide="ignore"):
            logits = np.log(probabilities.astype(np.float64)) / max(sampling.temperature, _COLDEST)
        if sampling.top_k is not None and sampling.top_k < len(logits):
            # A stable order, so that ties are cut the same way everywhere.
            logits[np.argsort(-logits, kind="stable")[sampling.top_k :]] = -np.inf
        cumulated = np.cumsum(np.exp(logits - logits.max()))
        drawn = self._random.random() * cumulated[-1]
        chosen = np.searchsorted(cumulated, drawn, side="right")
        # Rounding may put the draw on the very end of the last interval.
        return np.asarray(min(int(chosen), len(cumulated) - 1), np.int64)


class LabelChooser:
    """From the probabilities of labels [O], which are independent, to 1 for each label that is
    drawn and 0 for the others, float32 [O].

    A temperature T divides the log odds, so that p becomes p^(1/T) / (p^(1/T) + (1 − p)^(1/T)).
    """

    def __init__(self, sampling: Sampling) -> None:
        self._temperature = sampling.temperature
        self._random = np.random.Generator(np.random.PCG64(sampling.seed))

    def __call__(self, probabilities: NDArray[np.float32]) -> NDArray[Any]:
        if self._temperature == 0:
            return (probabilities >= LIKELY).astype(np.float32)
        likely = probabilities.astype(np.float64)
        with np.errstate(divide="ignore", over="ignore"):
            odds = (np.log(likely) - np.log1p(-likely)) / max(self._temperature, _COLDEST)
            likely = 1 / (1 + np.exp(-odds))
        return (self._random.random(len(likely)) < likely).astype(np.float32)
