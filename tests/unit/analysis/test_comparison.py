"""How a difference washes out, by loops."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.analysis.comparison import Comparison, output_differences
from tests.unit.analysis.layers import made_cell, pieces, ran


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 40), st.floats(1e-3, 1))
def test_as_by_loops(seed: int, steps: int, size: int, threshold: float) -> None:
    cell = made_cell(seed)
    random = np.random.default_rng(seed)
    x, before = random.normal(size=(steps, 2)), random.normal(size=(2, 3))
    a, b = (ran(cell, x, h)["hidden"] for h in before)
    comparison = Comparison(before[0], before[1], threshold)
    for piece_a, piece_b in zip(pieces(a, size), pieces(b, size), strict=True):
        comparison.add(piece_a, piece_b)
    found = comparison.result()
    expected = []
    for h_a, h_b in zip([before[0], *a], [before[1], *b], strict=True):
        expected.append(math.sqrt(sum((p - q) ** 2 for p, q in zip(h_a, h_b, strict=True)) / 3))
    assert found.distance.tolist() == pytest.approx(expected)
    first = [n for n, delta in enumerate(expected) if delta / expected[0] < threshold]
    assert found.washed_out_at == (first[0] if first else None)


def test_without_a_difference_nothing_washes_out() -> None:
    comparison = Comparison(np.ones(2), np.ones(2))
    comparison.add(np.zeros((3, 2)), np.zeros((3, 2)))
    assert comparison.result().washed_out_at is None
    assert comparison.result().distance.tolist() == [0, 0, 0, 0]


def test_differences_of_outputs_are_exact() -> None:
    a, b = np.array([[1.0, 16777216.0]], np.float32), np.array([[3.0, -1.0]], np.float32)
    assert output_differences(a, b).tolist() == [[2, 16777217]]
