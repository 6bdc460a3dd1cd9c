"""Units that do nothing, or nothing of their own: made so, and found."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.analysis.covariance import Covariance
from service.analysis.moments import Moments
from service.analysis.triage import KeepShares, Thresholds, Triaged, redundant_pairs, triage
from tests.unit.analysis.layers import Array, pieces

T = 1000


def triaged(keep: Array, hidden: Array, thresholds: Thresholds, size: int = 64) -> Triaged:
    U = keep.shape[1]
    shares, moments, covariance = KeepShares(U, thresholds), Moments(U), Covariance(U)
    for kept, state in zip(pieces(keep, size), pieces(hidden, size), strict=True):
        shares.add(kept)
        moments.add(state)
        covariance.add(state)
    return triage(shares.result(), moments.result(), covariance.result(), thresholds)


def made() -> tuple[Array, Array]:
    random = np.random.default_rng(0)
    return random.uniform(0.2, 0.8, (T, 6)), random.normal(size=(T, 6))


def test_each_kind_is_found() -> None:
    keep, hidden = made()
    keep[:, 0], keep[:11, 0] = 0.995, 0.5
    keep[:, 1], keep[:9, 1] = 0.995, 0.5
    keep[:, 2], keep[:99, 2] = 0.05, 0.5
    keep[:, 3], keep[:101, 3] = 0.05, 0.5
    hidden[:, 4] = 0.3 + 0.9e-3 * np.tile([-1, 1], T // 2)
    hidden[:, 5] = -2 * hidden[:, 1] + 0.1 * hidden[:, 5]
    hidden[:, 3] = hidden[:, 1]
    found = triaged(keep, hidden, Thresholds())
    assert np.flatnonzero(found.copiers).tolist() == [1]
    assert np.flatnonzero(found.memoryless).tolist() == [2]
    assert np.flatnonzero(found.frozen).tolist() == [4]
    assert found.pairs.tolist() == [[1, 3], [1, 5], [3, 5]]
    expected = [np.corrcoef(hidden[:, a], hidden[:, b])[0, 1] for a, b in found.pairs]
    assert found.correlations.tolist() == pytest.approx(expected)
    assert found.correlations[1] < -0.99


def test_thresholds_can_be_set() -> None:
    keep, hidden = made()
    lax = Thresholds(
        copier_keep=0.5,
        copier_share=0.4,
        frozen_std=2,
        memoryless_keep=0.6,
        memoryless_share=0.5,
        redundant=0,
    )
    found = triaged(keep, hidden, lax)
    assert found.copiers.all()
    assert found.frozen.all()
    assert found.memoryless.all()
    assert len(found.pairs) == 15


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 40), st.integers(0, 5))
def test_shares_are_those_of_counting(seed: int, steps: int, size: int, blank: int) -> None:
    keep = np.random.default_rng(seed).uniform(size=(steps + blank, 3))
    keep[:blank] = np.nan
    shares = KeepShares(3, Thresholds(copier_keep=0.7, memoryless_keep=0.4))
    for piece in pieces(keep, size):
        shares.add(piece)
    much, little = shares.result()
    for u, column in enumerate(keep[blank:].T.tolist()):
        assert much[u] == pytest.approx(sum(k > 0.7 for k in column) / steps)
        assert little[u] == pytest.approx(sum(k < 0.4 for k in column) / steps)


def test_a_unit_without_a_value_is_nothing() -> None:
    nothing = np.full((3, 2), np.nan)
    found = triaged(nothing, nothing, Thresholds())
    assert not (found.copiers | found.frozen | found.memoryless).any()
    assert len(found.pairs) == 0


def test_one_unit_has_no_pair() -> None:
    assert redundant_pairs(np.ones((1, 1)), 0.5).shape == (0, 2)
