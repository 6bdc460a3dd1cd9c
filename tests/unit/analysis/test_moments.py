"""Figures over slices, against plain Python over all steps."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from service.analysis.moments import Mean, Moments
from tests.unit.analysis.layers import Array, pieces

values = st.tuples(st.integers(1, 40), st.integers(1, 6)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.floats(-3, 3) | st.just(math.nan))
)


@given(values, st.integers(1, 40), st.integers(0, 100))
def test_as_plain_python_has_it(values: Array, size: int, begin: int) -> None:
    moments, mean = Moments(values.shape[1]), Mean(values.shape[1])
    for n, piece in enumerate(pieces(values, size)):
        moments.add(piece, begin + n * size)
        mean.add(piece)
    found = moments.result()
    for u, column in enumerate(values.T.tolist()):
        known = [one for one in column if not math.isnan(one)]
        assert found.count[u] == len(known)
        if not known:
            assert found.peak[u] == -1
            figures = (found.mean, found.std, found.min, found.max, mean.result())
            assert all(math.isnan(one[u]) for one in figures)
            continue
        assert found.mean[u] == pytest.approx(statistics.fmean(known), abs=1e-12)
        assert mean.result()[u] == pytest.approx(statistics.fmean(known), abs=1e-12)
        assert found.std[u] == pytest.approx(statistics.pstdev(known), abs=1e-9)
        assert (found.min[u], found.max[u]) == (min(known), max(known))
        assert found.peak[u] == begin + column.index(max(known))


@pytest.mark.parametrize("size", [1, 3, 100])
def test_what_never_moves_has_no_spread_at_all(size: int) -> None:
    moments = Moments(1)
    for piece in pieces(np.full((100, 1), 0.1), size):
        moments.add(piece)
    assert moments.result().std.tolist() == [0.0]
    assert moments.result().mean.tolist() == [0.1]


def test_a_small_spread_far_from_zero() -> None:
    column = 1e6 + np.random.default_rng(0).normal(size=(1000, 1)) * 1e-3
    moments = Moments(1)
    for piece in pieces(column, 7):
        moments.add(piece)
    assert moments.result().std[0] == pytest.approx(np.std(column), rel=1e-6)


def test_one_step_without_an_end_has_no_mean() -> None:
    mean = Mean(1)
    mean.add(np.array([[-math.inf]]))
    mean.add(np.array([[-1.0]]))
    assert mean.result().tolist() == [-math.inf]
