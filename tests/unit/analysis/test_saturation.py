"""How often gates are nearly closed or open, by counting."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from service.analysis.saturation import Saturation
from tests.unit.analysis.layers import Array, pieces

gates = st.tuples(st.integers(1, 40), st.integers(1, 6)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.floats(0, 1) | st.just(0.2))
)


@given(gates, st.integers(1, 40), st.integers(0, 5), st.sampled_from([(0.1, 0.9), (0.2, 0.2)]))
def test_counts(gate: Array, size: int, blank: int, limits: tuple[float, float]) -> None:
    gate[:blank] = np.nan
    saturation = Saturation(gate.shape[1], *limits)
    for piece in pieces(gate, size):
        saturation.add(piece)
    found = saturation.result()
    for u, column in enumerate(gate.T.tolist()):
        known = [one for one in column if not math.isnan(one)]
        if not known:
            assert math.isnan(found.below[u])
            assert math.isnan(found.above[u])
            continue
        below, above = sum(g < limits[0] for g in known), sum(g > limits[1] for g in known)
        assert found.below[u] == pytest.approx(below / len(known))
        assert found.above[u] == pytest.approx(above / len(known))
