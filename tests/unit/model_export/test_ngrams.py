"""The n-gram baselines against counting by hand."""

from collections import Counter
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from model_export.tasks.ngrams import ngram_bits

RNG = np.random.default_rng(3)
TRAIN, VALIDATION, TEST = (RNG.integers(0, 4, n).cumsum() % 5 for n in (400, 200, 150))


def by_hand(order: int, tokens: NDArray[np.int64]) -> list[float]:
    """P(token | the order − 1 tokens before) from the third token on, counted on TRAIN."""
    train = TRAIN.tolist()
    grams = Counter(tuple(train[i : i + order]) for i in range(len(train) - order + 1))
    contexts: Counter[tuple[int, ...]] = Counter()
    for gram, count in grams.items():
        contexts[gram[:-1]] += count
    wanted = [tuple(tokens[t - order + 1 : t + 1].tolist()) for t in range(2, len(tokens))]
    return [grams[gram] / max(contexts[gram[:-1]], 1) for gram in wanted]


def test_uniform_and_unigram() -> None:
    bits = ngram_bits(TRAIN, VALIDATION, TEST, 5)
    counts = Counter(TRAIN.tolist())
    unigram = [-np.log2((counts[t] + 1) / (len(TRAIN) + 5)) for t in TEST[2:].tolist()]
    assert bits["uniform"] == pytest.approx(np.log2(5))
    assert bits["unigram"] == pytest.approx(np.mean(unigram))


def test_no_other_mixture_suits_the_validation_part_better() -> None:
    # With the test part as validation part, its own best mixture is found: a grid cannot beat it.
    bits = ngram_bits(TRAIN, TEST, TEST, 5)["trigram"]
    parts = np.array([*(by_hand(n, TEST) for n in (3, 2, 1)), [1 / 5] * (len(TEST) - 2)]).T
    shares = np.array(list(product(np.linspace(0.01, 0.99, 30), repeat=3)))
    weights = np.column_stack([shares, 1 - shares.sum(1)])
    grid = -np.log2(parts @ weights[weights[:, 3] > 0].T).mean(0)
    assert bits <= grid.min() + 1e-4
    assert bits == pytest.approx(grid.min(), abs=0.01)


def test_characters_that_training_never_met_cost_much_but_not_infinitely_much() -> None:
    bits = ngram_bits(TRAIN, VALIDATION, np.append(TEST, 5), 6)
    assert all(np.isfinite(value) for value in bits.values())
