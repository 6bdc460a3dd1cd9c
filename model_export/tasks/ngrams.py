"""Character models without a network, for comparison: uniform, unigram, interpolated trigram."""

import numpy as np
from numpy.typing import NDArray

Tokens = NDArray[np.int64]
_EM_ROUNDS = 50


def ngram_bits(train: Tokens, validation: Tokens, test: Tokens, size: int) -> dict[str, float]:
    """Mean bits per token that each baseline needs for `test`; all parts are ids below `size`.

    The n-grams are counted on `train`. The trigram is mixed with bigram, unigram and uniform by
    weights that make `validation` most likely (Jelinek and Mercer 1980).
    """
    of_test, of_validation = (_probabilities(train, part, size) for part in (test, validation))
    mixture = of_test @ _mixing_weights(of_validation)
    # Add-one smoothing: a character that training never met would cost infinitely many bits.
    unigram = (np.bincount(train, minlength=size) + 1) / (len(train) + size)
    return {
        "uniform": float(np.log2(size)),
        "unigram": float(-np.log2(unigram[test[2:]]).mean()),
        "trigram": float(-np.log2(mixture).mean()),
    }


def _probabilities(train: Tokens, part: Tokens, size: int) -> NDArray[np.float64]:
    """P(part[t]) for t ≥ 2 from the last 2, 1, 0 tokens and none at all, [N − 2, 4]."""
    columns = []
    for order in (3, 2, 1):
        grams, contexts = (_keys(part, length, size)[3 - order :] for length in (order, order - 1))
        known = _keys(train, order, size)
        seen = _counts(known, grams)
        totals = _counts(known // size, contexts[: len(grams)])
        columns.append(np.divide(seen, totals, out=np.zeros(len(seen)), where=totals > 0))
    return np.stack([*columns, np.full(len(part) - 2, 1 / size)], axis=1)


def _keys(tokens: Tokens, order: int, size: int) -> Tokens:
    """One integer for each run of `order` tokens, oldest token most significant."""
    keys = np.zeros(len(tokens) - max(order - 1, 0), np.int64)
    for offset in range(order):
        keys = keys * size + tokens[offset : offset + len(keys)]
    return keys


def _counts(known: Tokens, wanted: Tokens) -> NDArray[np.float64]:
    """How often each of `wanted` occurs in `known`."""
    values, counts = np.unique(known, return_counts=True)
    at = np.searchsorted(values, wanted).clip(max=len(values) - 1)
    return np.where(values[at] == wanted, counts[at], 0).astype(np.float64)


def _mixing_weights(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights [4] of the most likely mixture, by expectation maximisation."""
    weights = np.full(probabilities.shape[1], 1 / probabilities.shape[1])
    for _ in range(_EM_ROUNDS):
        shares = probabilities * weights
        weights = (shares / shares.sum(1, keepdims=True)).mean(0)
    return weights
