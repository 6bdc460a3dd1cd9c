"""Revisions: what compare and set and entity tags compare."""

import secrets

import numpy as np
from numpy.typing import NDArray

_BITS = 63
_random = np.random.default_rng(secrets.randbits(256))
"""Seeded once for each process. Revisions are no secrets; they must only never come twice."""


def fresh_revision() -> int:
    """Another one than any session has ever had, also where a store has lost its last writes."""
    return int(fresh_revisions(1)[0])


def fresh_revisions(count: int) -> NDArray[np.int64]:
    """As `fresh_revision`, so many."""
    return _random.integers(0, 1 << _BITS, count, np.int64)
