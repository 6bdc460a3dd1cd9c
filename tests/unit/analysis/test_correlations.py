"""Correlations over slices, against NumPy over the steps at which both are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.analysis.correlations import Correlations
from tests.unit.analysis.layers import Array, pieces


def correlated(values: Array, markings: Array, size: int) -> Correlations:
    found = Correlations(values.shape[1], markings.shape[1])
    for part in zip(pieces(values, size), pieces(markings, size), strict=True):
        found.add(*part)
    return found


def expected(values: Array, markings: Array) -> Array:
    """Pair by pair."""
    found = np.zeros((markings.shape[1], values.shape[1]))
    for m, marking in enumerate(markings.T):
        for u, unit in enumerate(values.T):
            known = ~np.isnan(marking) & ~np.isnan(unit)
            x, y = unit[known], marking[known]
            if known.sum() > 1 and np.ptp(x) > 0 and np.ptp(y) > 0:
                found[m, u] = np.corrcoef(x, y)[0, 1]
    return found


@st.composite
def tables(draw: st.DrawFn) -> tuple[Array, Array]:
    """Values [T, U] far from 0 and markings [T, M] of a few numbers, with gaps."""
    steps = draw(st.integers(1, 40))
    units, markings = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = random.normal(size=(steps, units)) + 100 * random.normal(size=units)
    wanted = random.integers(0, 3, (steps, markings)).astype(float)
    gaps = draw(st.sampled_from([0.0, 0.3, 0.9]))
    wanted[random.uniform(size=wanted.shape) < gaps] = np.nan
    values[: draw(st.integers(0, 5))] = np.nan
    return values, wanted


@given(tables(), st.integers(1, 40))
def test_as_numpy_has_them(table: tuple[Array, Array], size: int) -> None:
    found = correlated(*table, size).result()
    np.testing.assert_allclose(found, expected(*table), atol=1e-9)


@given(tables(), st.integers(0, 40), st.integers(1, 40))
def test_two_parts_together_are_all_of_it(table: tuple[Array, Array], cut: int, size: int) -> None:
    values, markings = table
    first, second = (
        correlated(values[part], markings[part], size) for part in (slice(cut), slice(cut, None))
    )
    before = first.result(), second.result()
    np.testing.assert_allclose(first.merged(second).result(), expected(*table), atol=1e-9)
    for one, result in zip((first, second), before, strict=True):
        np.testing.assert_array_equal(one.result(), result)


@pytest.mark.parametrize("size", [1, 3, 7, 60])
def test_what_does_not_vary_where_both_are_known_correlates_with_nothing(size: int) -> None:
    for seed in range(40):
        random = np.random.default_rng(seed)
        values = random.normal(size=(60, 2))
        markings = random.normal(size=(60, 1))
        unmarked = random.uniform(size=60) < 0.5
        markings[unmarked] = np.nan
        values[~unmarked, 0] = 0.1 + random.integers(0, 9)
        found = correlated(values, markings, size).result()
        assert found[0, 0] == 0
        assert found[0, 1] != 0
