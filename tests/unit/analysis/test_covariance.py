"""How units vary together, over slices, against NumPy over all steps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.analysis.covariance import Covariance
from tests.unit.analysis.layers import Array, pieces


def covered(values: Array, size: int) -> Covariance:
    covariance = Covariance(values.shape[1])
    for piece in pieces(values, size):
        covariance.add(piece)
    return covariance


@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.integers(1, 6), st.integers(1, 40))
def test_as_numpy_has_it(seed: int, steps: int, units: int, size: int) -> None:
    random = np.random.default_rng(seed)
    values = random.normal(size=(steps, units)) + random.normal(size=units)
    found = covered(np.vstack([np.full((3, units), np.nan), values]), size).result()
    assert found.count == steps
    np.testing.assert_allclose(found.mean, values.mean(axis=0), atol=1e-12)
    expected = np.cov(values, rowvar=False, ddof=0).reshape(units, units)
    np.testing.assert_allclose(found.matrix, expected, atol=1e-10)
    correlations = np.corrcoef(values, rowvar=False).reshape(units, units)
    np.testing.assert_allclose(found.correlations(), correlations, atol=1e-7)


@pytest.mark.parametrize("size", [1, 7, 40])
def test_what_never_moves_correlates_with_nothing(size: int) -> None:
    values = np.random.default_rng(0).normal(size=(40, 3))
    values[:, 1] = 0.1
    found = covered(values, size).result()
    assert found.matrix[1].tolist() == [0, 0, 0]
    assert found.correlations()[1].tolist() == [0, 0, 0]
    assert found.correlations()[0, 0] == pytest.approx(1)


def test_no_step_at_all() -> None:
    found = covered(np.full((2, 2), np.nan), 1).result()
    assert found.count == 0
    assert np.isnan(found.mean).all()
    assert found.correlations().tolist() == [[0, 0], [0, 0]]
