"""Random numbers."""

import numpy as np
import pytest


@pytest.fixture
def rng() -> np.random.Generator:
    """The same draws in every test, whichever others run."""
    return np.random.default_rng(0)
