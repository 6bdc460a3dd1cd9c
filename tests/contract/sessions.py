"""Sessions as records, for tests of stores."""

from dataclasses import asdict, replace

import numpy as np
from numpy.typing import NDArray

from service.stores.store import Session


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
        created_at=1_700_000_000.123456,
        expires_at=1_700_000_060.25,
        ttl_seconds=60.5,
    )
    return replace(made, **fields)  # type: ignore[arg-type]


def moved(before: Session, **fields: object) -> Session:
    """What a step makes of a session: the next revision, another state."""
    state = before.state + np.float32(1)
    changed = {"revision": before.revision + 1, "step": before.step + 1, "state": state, **fields}
    return replace(before, **changed)  # type: ignore[arg-type]


def same(found: Session | None, expected: Session | None) -> bool:
    """Equal in every field, the state bit by bit."""
    if found is None or expected is None:
        return found is expected
    return _plain(found) == _plain(expected)


def _plain(one: Session) -> dict[str, object]:
    state: NDArray[np.float32] = one.state
    assert state.dtype == np.float32
    return {**asdict(one), "state": (state.shape, state.tobytes())}
