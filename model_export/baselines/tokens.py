"""The next token without a network: uniform, unigram, n-grams with Kneser-Ney smoothing.

Interpolated modified Kneser-Ney smoothing as Chen and Goodman 1999 define it (An empirical study
of smoothing techniques for language modeling, §3): from the count c(hw) of a token w after its
n − 1 tokens of context h,

    P(w | h) = max(c(hw) − D(c(hw)), 0) / c(h) + γ(h) P(w | h less its first token)

where γ(h) makes the probabilities sum to one, and P of the lower order counts in how many
different contexts a token was seen instead of how often. Below the unigrams is the uniform
distribution; a context never seen leaves everything to the lower order.

An n-gram is an integer: the number of its first n − 1 tokens among all (n − 1)-grams seen, and
its last token. All is arrays over positions of the text or over the n-grams of one order.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_export.baselines.baseline import Baseline
from model_export.data.source import Split

Tokens = NDArray[np.int64]
Probabilities = NDArray[np.float64]
TokenModel = Callable[[Tokens, int], Probabilities]
"""Probabilities [N − first] of tokens[first:], each from the tokens [N] before it."""

_LONGEST = 6
_FALLBACK = (0.5, 1.0, 1.5)
"""Discounts where the counts of counts give none, as in KenLM (Heafield 2011)."""


def token_models(tokens: Tokens, split: Split, size: int) -> tuple[Baseline[TokenModel], ...]:
    """Uniform, unigram and n-gram, counted on the training part of tokens [N], ids below `size`.

    The validation part chooses the order of the n-grams, up to six tokens.
    """
    training = tokens[: split.train]
    grams = KneserNey(training, size, _LONGEST)
    validation = grams.probabilities(tokens[: split.validation], split.train)
    order = int(bits(validation).argmin()) + 1
    # Add-one smoothing: a token that training never met would cost infinitely many bits.
    unigram = (np.bincount(training, minlength=size) + 1) / (len(training) + size)
    return (
        Baseline("uniform", lambda tokens, first: np.full(len(tokens) - first, 1 / size)),
        Baseline("unigram", lambda tokens, first: unigram[tokens[first:]]),
        Baseline(
            "n-gram",
            lambda tokens, first: grams.probabilities(tokens, first)[order - 1],
            f"of {order} token{'s' * (order > 1)}, Kneser-Ney",
        ),
    )


def bits(probabilities: Probabilities) -> Probabilities:
    """Mean bits per token, over the last axis."""
    found: Probabilities = -np.log2(probabilities).mean(-1)
    return found


class KneserNey:
    """n-gram models of every order up to `order`, counted on tokens [N], ids below `size`.

    A text shorter than `order` has no longer n-grams than itself.
    """

    def __init__(self, tokens: Tokens, size: int, order: int) -> None:
        self._size = size
        self._grams: list[Tokens] = []
        self._models: list[_Smoothed] = []
        """Of each order, from how often its n-grams occur."""
        self._lower: list[_Smoothed] = []
        """Of each order but the last, from how many contexts its n-grams occur in."""
        numbers = np.zeros_like(tokens)
        for length in range(min(order, len(tokens))):
            keys = self._keys(_contexts(numbers, length), tokens)
            at = np.flatnonzero(keys >= 0)
            grams, first, counts = np.unique(keys[at], return_index=True, return_counts=True)
            if length:
                # The distinct n-grams that end with a shorter one are the contexts it occurs in.
                endings = np.bincount(numbers[at[first]], minlength=len(self._grams[-1]))
                self._lower.append(self._smoothed(endings, length - 1))
            self._grams.append(grams)
            self._models.append(self._smoothed(counts, length))
            numbers = _numbers(grams, keys)

    def probabilities(self, tokens: Tokens, first: int) -> Probabilities:
        """Of tokens[first:] by the model of each order, [order, N − first]."""
        start = max(0, first - len(self._grams) + 1)
        text = tokens[start:]
        numbers, lower, found = np.zeros_like(text), np.full(len(text), 1 / self._size), []
        for length, grams in enumerate(self._grams):
            contexts = _contexts(numbers, length)
            numbers = _numbers(grams, self._keys(contexts, text))
            model = self._models[length]
            found.append(model.probabilities(contexts, numbers, lower)[first - start :])
            if length < len(self._lower):
                lower = self._lower[length].probabilities(contexts, numbers, lower)
        return np.stack(found)

    def _smoothed(self, counts: Tokens, length: int) -> "_Smoothed":
        """From the counts of the n-grams that follow contexts of `length`."""
        contexts = len(self._grams[length - 1]) if length else 1
        return _Smoothed.of(counts, self._grams[length] // self._size, contexts)

    def _keys(self, contexts: Tokens, tokens: Tokens) -> Tokens:
        """The n-gram that ends at each position, −1 where its context is not known."""
        return np.where(contexts >= 0, contexts * self._size + tokens, -1)


@dataclass(frozen=True, slots=True)
class _Smoothed:
    """Of one order: `share` [n-grams] = (c(hw) − D) / c(h), `left` [contexts] = γ(h)."""

    share: Probabilities
    left: Probabilities

    @classmethod
    def of(cls, counts: Tokens, context: Tokens, contexts: int) -> "_Smoothed":
        """From counts [n-grams] and the number of each one's context, below `contexts`."""
        discounts = np.array([0.0, *_discounts(counts)])[np.minimum(counts, 3)]
        totals = np.bincount(context, counts, minlength=contexts)
        left = np.bincount(context, discounts, minlength=contexts)
        # What the text begins or ends with may be no context, or have none.
        counted = np.maximum(totals, 1)
        share = (counts - discounts) / counted[context]
        return cls(share, np.where(totals > 0, left / counted, 1.0))

    def probabilities(
        self, contexts: Tokens, numbers: Tokens, lower: Probabilities
    ) -> Probabilities:
        """Of the n-grams at each position; −1 stands for a context or n-gram never seen."""
        share = np.where(numbers >= 0, self.share[numbers], 0.0)
        return share + np.where(contexts >= 0, self.left[contexts], 1.0) * lower


def _contexts(numbers: Tokens, length: int) -> Tokens:
    """The number of the n-gram of `length` that ends before each position."""
    return np.concatenate([[-1 if length else 0], numbers[:-1]])


def _numbers(grams: Tokens, keys: Tokens) -> Tokens:
    """The position of each key among the sorted n-grams, −1 where it is none."""
    at = np.searchsorted(grams, keys).clip(max=len(grams) - 1)
    return np.where(grams[at] == keys, at, -1)


def _discounts(counts: Tokens) -> tuple[float, ...]:
    """D1, D2 and D3+ from how many n-grams occur once, twice, three and four times."""
    n1, n2, n3, n4 = (float((counts == times).sum()) for times in (1, 2, 3, 4))
    if min(n1, n2, n3, n4) == 0:
        return _FALLBACK
    y = n1 / (n1 + 2 * n2)
    found = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
    valid = all(0 < discount <= times for times, discount in enumerate(found, 1))
    return found if valid else _FALLBACK
