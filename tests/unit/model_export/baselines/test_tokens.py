"""n-grams against the formula of Chen and Goodman counted by hand, and sums of probabilities."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_export.baselines.tokens import KneserNey, Tokens, bits, token_models
from model_export.data.source import Split

SIZE = 5
TEXT = np.random.default_rng(3).integers(0, 4, 1200).cumsum() % SIZE
SPLIT = Split(800, 1000, 1200)
Gram = tuple[int, ...]


class ByHand:
    """P(w | h) by recursion over counts in dictionaries, one probability at a time."""

    def __init__(self, tokens: Tokens, size: int) -> None:
        text = tokens.tolist()
        self.size = size
        self.counts = [
            Counter(tuple(text[i : i + n]) for i in range(len(text) - n + 1)) for n in range(1, 8)
        ]

    def table(self, length: int, lower: bool) -> Counter[Gram]:
        if not lower:
            return self.counts[length - 1]
        return Counter(gram[1:] for gram in self.counts[length])

    def probability(self, context: Gram, token: int, lower: bool = False) -> float:
        table = self.table(len(context) + 1, lower)
        following = {w: table[*context, w] for w in range(self.size) if table[*context, w]}
        shorter = self.probability(context[1:], token, lower=True) if context else 1 / self.size
        if not following:
            return shorter
        of = Counter(table.values())
        y = of[1] / (of[1] + 2 * of[2]) if of[1] else 0.0
        d = [0.0, 0.5, 1.0, 1.5]
        if min(of[1], of[2], of[3], of[4]):
            formula = [0.0, *(n - (n + 1) * y * of[n + 1] / of[n] for n in (1, 2, 3))]
            d = formula if all(0 < formula[n] <= n for n in (1, 2, 3)) else d
        total = sum(following.values())
        left = sum(d[min(count, 3)] for count in following.values()) / total
        count = following.get(token, 0)
        return (count - d[min(count, 3)]) / total + left * shorter


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 6), order=st.integers(1, 5))
def test_every_probability_is_that_of_the_formula(seed: int, size: int, order: int) -> None:
    rng = np.random.default_rng(seed)
    train, text = (rng.geometric(0.4, n).clip(max=size) - 1 for n in (150, 30))
    text = np.append(train[:15], text)  # as training begins: nothing came before
    found = KneserNey(train, size, order).probabilities(text, order)
    hand = ByHand(train, size)
    for position in range(order, len(text)):
        for length in range(order):
            context = tuple(text[position - length : position].tolist())
            expected = hand.probability(context, int(text[position]))
            assert found[length, position - order] == pytest.approx(expected, rel=1e-9)


def test_the_discounts_are_those_of_the_counts_of_counts(rng: np.random.Generator) -> None:
    """Long enough that the formula applies, and no order falls back on fixed discounts."""
    train = rng.choice(30, 4000, p=(weights := 1 / np.arange(1, 31)) / weights.sum())
    found = KneserNey(train, 30, 3).probabilities(train[:60], 2)
    hand = ByHand(train, 30)
    for position in range(2, 60):
        context = tuple(train[position - 2 : position].tolist())
        expected = hand.probability(context, int(train[position]))
        assert found[2, position - 2] == pytest.approx(expected, rel=1e-9)


@given(
    seed=st.integers(0, 10_000),
    length=st.integers(1, 300),
    size=st.integers(1, 9),
    context=st.lists(st.integers(0, 8), max_size=7),
)
def test_probabilities_sum_to_one(seed: int, length: int, size: int, context: list[int]) -> None:
    train = np.random.default_rng(seed).integers(0, size, length)
    model = KneserNey(train, size, 6)
    before = np.minimum(np.array(context, np.int64), size - 1)
    for context_tokens in (before, np.append(before, train[-4:]), train[:3]):
        first = len(context_tokens)
        texts = [np.append(context_tokens, token) for token in range(size)]
        found = np.stack([model.probabilities(text, first)[:, 0] for text in texts])
        assert (found > 0).all()
        np.testing.assert_allclose(found.sum(0), 1)


def test_n_grams_of_a_large_vocabulary_do_not_overflow(rng: np.random.Generator) -> None:
    train = rng.integers(0, 2000, 5000)
    train[-100:] = train[:100]
    found = KneserNey(train, 2000, 6).probabilities(train[-50:], 10)
    assert (found[5] > 0.2).all()


def test_uniform_and_unigram() -> None:
    models = {one.name: one.predict(TEXT, SPLIT.validation) for one in token_models(TEXT, SPLIT, 6)}
    counts = Counter(TEXT[:800].tolist())
    expected = [(counts[token] + 1) / 806 for token in TEXT[1000:].tolist()]
    assert bits(models["uniform"]) == pytest.approx(np.log2(6))
    np.testing.assert_allclose(models["unigram"], expected)
    assert np.isfinite(bits(models["n-gram"]))


def test_the_validation_part_chooses_the_order(rng: np.random.Generator) -> None:
    """Each token repeats the one before the last: three tokens say all, and more no more."""
    tokens = np.tile([0, 1, 2, 1], 300)
    noise = rng.integers(0, 3, 1200)
    tokens = np.where(rng.random(1200) < 0.1, noise, tokens)
    *_, chosen = token_models(tokens, SPLIT, 3)
    orders = KneserNey(tokens[:800], 3, 6).probabilities(tokens[:1000], 800)
    assert chosen.description == f"n-gram of {bits(orders).argmin() + 1} tokens, Kneser-Ney"
    assert bits(chosen.predict(tokens[:1000], 800)) == bits(orders).min()


def test_nothing_but_the_training_part_is_counted() -> None:
    other = TEXT.copy()
    other[1000:] = 0
    for one, changed in zip(
        token_models(TEXT, SPLIT, 5), token_models(other, SPLIT, 5), strict=True
    ):
        np.testing.assert_array_equal(one.predict(TEXT, 1000), changed.predict(TEXT, 1000))
