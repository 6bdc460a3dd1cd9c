"""The projection against NumPy's singular values."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.analysis.covariance import Covariance
from service.analysis.trajectory import Projection
from tests.unit.analysis.layers import Array, pieces


def projected(values: Array, size: int = 40) -> Projection:
    covariance = Covariance(values.shape[1])
    for piece in pieces(values, size):
        covariance.add(piece)
    return Projection.of(covariance.result())


@given(st.integers(0, 2**32 - 1), st.integers(3, 40), st.integers(1, 6), st.integers(1, 40))
def test_as_numpy_has_it(seed: int, steps: int, units: int, size: int) -> None:
    random = np.random.default_rng(seed)
    values = random.normal(size=(steps, units)) * 2.0 ** np.arange(units) + 1
    found = projected(values, size)
    centred = values - values.mean(axis=0)
    _, singular, rows = np.linalg.svd(centred, full_matrices=True)
    variances = np.zeros(units)
    variances[: len(singular)] = singular**2
    np.testing.assert_allclose(found.explained, variances / variances.sum(), atol=1e-9)
    ratio = variances.sum() ** 2 / (variances**2).sum()
    assert found.participation_ratio == pytest.approx(ratio)
    points = np.concatenate([found.points(piece) for piece in pieces(values, size)])
    assert points.shape == (steps, 2)
    first = centred @ rows[0]
    np.testing.assert_allclose(np.abs(points[:, 0]), np.abs(first), atol=1e-6 * np.abs(first).max())
    for component in found.components[: min(units, 2)]:
        assert np.linalg.norm(component) == pytest.approx(1)
        assert component[np.abs(component).argmax()] > 0


@given(st.integers(1, 30))
def test_a_view_does_not_flip(size: int) -> None:
    """Two units have as large a part, with other signs, but for rounding."""
    random = np.random.default_rng(0)
    moving = random.normal(size=(30, 1))
    values = np.hstack([moving, -moving, 0.1 * random.normal(size=(30, 1))]) + 0.1
    assert projected(values, size).components[0, 0] > 0
    assert projected(-values, size).components[0, 0] > 0


def test_unknown_steps_have_no_point() -> None:
    values = np.random.default_rng(0).normal(size=(9, 3))
    values[:2] = np.nan
    found = projected(values)
    assert np.isnan(found.points(values)[:2]).all()
    assert not np.isnan(found.points(values)[2:]).any()


def test_what_does_not_move_and_one_unit_alone() -> None:
    still = projected(np.full((5, 3), 0.3))
    assert (still.explained.tolist(), still.participation_ratio) == ([0, 0, 0], 0)
    alone = projected(np.array([[1.0], [2.0], [4.0]]))
    assert alone.participation_ratio == 1
    assert alone.points(np.array([[1.0], [4.0]]))[:, 1].tolist() == [0, 0]
    assert math.dist(*alone.points(np.array([[1.0], [4.0]]))) == 3
