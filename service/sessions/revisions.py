"""Revisions: what compare and set and entity tags compare."""

import secrets
from random import Random

_BITS = 63
_random = Random(secrets.randbits(256))
"""Seeded once for each process. Revisions are no secrets; they must only never come twice."""


def fresh_revision() -> int:
    """Another one than any session has ever had, also where a store has lost its last writes."""
    return _random.getrandbits(_BITS)


def fresh_revisions(count: int) -> list[int]:
    """As many, in one go."""
    draw = _random.getrandbits
    return [draw(_BITS) for _ in range(count)]
