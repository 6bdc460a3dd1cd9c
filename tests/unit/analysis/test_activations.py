"""Every activation against its formula, and its slope against finite differences."""

import math

import numpy as np
import pytest

from service.analysis.activations import NAMES, activate, slope
from service.bundle.manifest import Activation
from tests.unit.analysis.layers import ACTIVATIONS

# None of them is near a corner of any of them.
POINTS = np.array([-30.0, -3.1, -1.3, -0.4, -0.03, 0.05, 0.3, 1.2, 2.9, 30.0])


def test_all_are_there() -> None:
    assert set(NAMES) == set(ACTIVATIONS)


@pytest.mark.parametrize("name", NAMES)
def test_values_and_slopes(name: str) -> None:
    activation, function = ACTIVATIONS[name]
    expected = [function(a) for a in POINTS.tolist()]
    np.testing.assert_allclose(activate(activation, POINTS), expected, rtol=1e-12, atol=1e-15)
    d = 1e-6
    differences = [(function(a + d) - function(a - d)) / (2 * d) for a in POINTS.tolist()]
    np.testing.assert_allclose(slope(activation, POINTS), differences, atol=1e-7)


def test_a_sigmoid_is_exact_at_both_ends() -> None:
    sigmoid = Activation(name="Sigmoid")
    found = activate(sigmoid, np.array([-700.0, -40.0, 800.0, -800.0]))
    assert found[:2].tolist() == pytest.approx([math.exp(-700), math.exp(-40)], rel=1e-12)
    assert found[2] == 1
    assert slope(sigmoid, np.array([40.0])).item() == pytest.approx(math.exp(-40), rel=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_unknown_stays_unknown(name: str) -> None:
    nothing = np.array([np.nan])
    assert np.isnan(activate(ACTIVATIONS[name][0], nothing)).all()
    assert np.isnan(slope(ACTIVATIONS[name][0], nothing)).all()
