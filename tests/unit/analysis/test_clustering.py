"""Average linkage against SciPy's, and against doing it step by step."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform

from service.analysis.clustering import cluster
from tests.unit.analysis.layers import Array


def distances(seed: int, units: int, *, steps: int = 20) -> Array:
    values = np.random.default_rng(seed).normal(size=(steps, units))
    found = 1 - np.abs(np.corrcoef(values, rowvar=False).reshape(units, units))
    np.fill_diagonal(found, 0)
    return np.asarray((found + found.T) / 2)


def leaves(merges: np.ndarray, units: int) -> list[frozenset[int]]:
    """Of every merge."""
    found = [frozenset([leaf]) for leaf in range(units)]
    for first, second in merges.tolist():
        assert not found[int(first)] & found[int(second)]
        found.append(found[int(first)] | found[int(second)])
    return found[units:]


@given(st.integers(0, 2**32 - 1), st.integers(2, 60))
def test_as_scipy_clusters(seed: int, units: int) -> None:
    apart = distances(seed, units)
    found, expected = cluster(apart), linkage(squareform(apart, checks=False), "average")
    np.testing.assert_allclose(found.heights, expected[:, 2], atol=1e-12)
    assert leaves(found.merges, units) == leaves(expected[:, :2], units)


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.booleans())
def test_the_leaves_of_a_cluster_are_side_by_side(seed: int, units: int, is_tied: bool) -> None:
    apart = distances(seed, units)
    found = cluster(apart.round() if is_tied else apart)
    assert sorted(found.order.tolist()) == list(range(units))
    assert (np.diff(found.heights) >= 0).all()
    place = np.argsort(found.order)
    for one in leaves(found.merges, units):
        places = place[list(one)]
        assert places.max() - places.min() == len(one) - 1


def test_more_similar_ends_touch() -> None:
    """Points on a line, numbered at random, come out as they lie."""
    points = np.array([0.0, 1.0, 3.1, 4.0, 9.0, 10.3, 12.0])
    for seed in range(10):
        numbers = np.random.default_rng(seed).permutation(len(points))
        shuffled = points[numbers]
        order = cluster(np.abs(shuffled[:, np.newaxis] - shuffled)).order
        line = shuffled[order]
        assert all(a < b for a, b in pairwise(line)) or all(a > b for a, b in pairwise(line))


def test_a_large_layer() -> None:
    apart = distances(0, 1024, steps=200)
    found, expected = cluster(apart), linkage(squareform(apart, checks=False), "average")
    np.testing.assert_allclose(found.heights, expected[:, 2], atol=1e-12)


def test_what_is_given_stays_as_it_is() -> None:
    apart = distances(0, 5)
    copy = apart.copy()
    cluster(apart)
    np.testing.assert_array_equal(apart, copy)


@pytest.mark.parametrize("units", [0, 1])
def test_nothing_to_merge(units: int) -> None:
    found = cluster(np.zeros((units, units)))
    assert found.order.tolist() == list(range(units))
    assert found.merges.shape == (0, 2)
