"""Sessions as records, for tests of stores."""

import time
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.stores.store import Found, Session

CREATED_AT = time.time() // 1 + 0.123456
"""The present: a store that forgets by itself would not even take a session of long ago."""


def session(session_id: str = "s", **fields: object) -> Session:
    """A session whose fields are all different from their defaults, unless they are given."""
    state = np.array([0.1, -0.2, 3e-41], np.float32)
    made = Session(
        session_id=session_id,
        model="weather",
        version=3,
        step=7,
        revision=0,
        state=state,
        created_at=CREATED_AT,
        expires_at=CREATED_AT + 60.5,
        ttl_seconds=60.5,
    )
    given: dict[str, Any] = fields
    return replace(made, **given)


def moved(before: Session, **fields: object) -> Session:
    """What a step makes of a session: the next revision, another state."""
    state = before.state + np.float32(1)
    changed: dict[str, Any] = {
        "revision": before.revision + 1,
        "step": before.step + 1,
        "state": state,
        **fields,
    }
    return replace(before, **changed)


def same(found: Found, expected: Session | None) -> bool:
    """Equal in every field, the state bit by bit."""
    if not isinstance(found, Session) or expected is None:
        return found is expected
    return _plain(found) == _plain(expected)


def _plain(one: Session) -> dict[str, object]:
    state: NDArray[np.float32] = one.state
    assert state.dtype == np.float32
    return {**asdict(one), "state": (state.shape, state.tobytes())}
