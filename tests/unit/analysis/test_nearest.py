"""The nearest states, against looking at every one of them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.analysis.nearest import Nearest
from service.errors import InvalidInput
from tests.unit.analysis.layers import pieces


@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(1, 40), st.integers(1, 6)),
    st.integers(1, 40),
    st.integers(1, 8),
    st.integers(0, 10),
)
def test_as_by_looking_at_all(
    seed: int, shape: tuple[int, int], size: int, count: int, apart: int
) -> None:
    random = np.random.default_rng(seed)
    # Whole numbers: many are equally near, and some are zero.
    hidden = random.integers(-1, 2, shape).astype(np.float32)
    steps = len(hidden)
    at = int(random.integers(steps))
    hidden[at, 0] = 1
    hidden[: int(random.integers(3)) if at > 2 else 0] = np.nan
    nearest = Nearest(hidden[at], 100 + at, count=count, apart=apart)
    for n, piece in enumerate(pieces(hidden, size)):
        nearest.add(piece, 100 + n * size)
    expected = []
    for s in range(steps):
        a, b = hidden[at].astype(float).tolist(), hidden[s].astype(float).tolist()
        if abs(at - s) < apart or math.isnan(b[0]) or not any(b):
            continue
        cosine = sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)
        expected.append((round(1 - cosine, 12), 100 + s))
    expected.sort()
    found = nearest.result()
    assert [one.step for one in found] == [step for _, step in expected[:count]]
    assert [one.distance for one in found] == pytest.approx(
        [distance for distance, _ in expected[:count]], abs=1e-12
    )


def test_later_slices_may_come_first() -> None:
    hidden = np.random.default_rng(0).normal(size=(30, 4))
    results = []
    for order in ([0, 1, 2], [2, 0, 1]):
        nearest = Nearest(hidden[12], 12, count=5, apart=2)
        for part in order:
            nearest.add(hidden[part * 10 : part * 10 + 10], part * 10)
        results.append(nearest.result())
    assert results[0] == results[1]
    assert len(results[0]) == 5


@pytest.mark.parametrize("state", [[0.0, 0.0], [math.nan, 1.0]])
def test_a_state_without_a_direction_is_refused(state: list[float]) -> None:
    with pytest.raises(InvalidInput, match="the state after step 3 is zero or unknown"):
        Nearest(np.array(state), 3, count=1, apart=1)
