"""What there should be: one session, and what its keyed requests should be told again."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from service.sessions.receipts import KEPT_ANSWER_BYTES, KEPT_RECEIPTS, Key
from service.stores.store import Session
from tests.oracle import assert_agrees
from tests.stateful.requests import Told


@dataclass(slots=True)
class Remembered:
    """A keyed request that was applied. `size` is the room in bytes that its answer takes.

    One that is `recomputed` keeps its answer only for as long as it is the latest.
    """

    key: Key
    told: Told
    size: int = 0
    recomputed: bool = False
    kept: bool = True


@dataclass(slots=True)
class Expected:
    """One session, from its creation to its end. `state` is [S]."""

    session_id: str
    model: str
    version: int
    step: int
    revision: int
    state: NDArray[np.float64]
    created_at: float
    expires_at: float
    ttl: float
    metadata: bytes
    birth: Remembered | None = None
    remembered: list[Remembered] = field(default_factory=list)
    """The latest keyed requests, newest first."""
    bits: bytes | None = None
    """The state bit by bit, once it has been seen and nothing has touched it since."""

    @property
    def tag(self) -> str:
        return f"{self.revision:x}"

    def recall(self, key: Key) -> Remembered | None:
        """What came with this key, whatever the request was."""
        known = self.remembered if self.birth is None else [*self.remembered, self.birth]
        return next((one for one in known if one.key.key == key.key), None)

    def remember(self, newest: Remembered) -> None:
        """Make room for it: the answers of the earlier ones go first, those without any stay."""
        room = KEPT_ANSWER_BYTES - newest.size
        for earlier in self.remembered:
            room -= earlier.size
            if earlier.recomputed or (earlier.size and room < 0):
                earlier.kept, earlier.size = False, 0
        self.remembered = [newest, *self.remembered[: KEPT_RECEIPTS - 1]]

    def move(self, now: float, *, step: int, state: NDArray[np.float64] | None = None) -> None:
        """What every change does; without a state it stays bit by bit."""
        self.revision += 1
        self.step = step
        self.expires_at = now + self.ttl
        if state is not None:
            self.state, self.bits = state, None

    def compare(self, found: Session) -> None:
        """The stored session is this one. What was computed may be a little off, once."""
        for name in ("model", "version", "step", "revision", "created_at", "expires_at"):
            assert getattr(found, name) == getattr(self, name), (self.session_id, name)
        assert (found.ttl_seconds, found.metadata) == (self.ttl, self.metadata)
        if self.bits is None:
            assert_agrees(found.state, self.state)
            self.state, self.bits = found.state.astype(np.float64), found.state.tobytes()
        assert found.state.tobytes() == self.bits, "a state that nothing touched"
