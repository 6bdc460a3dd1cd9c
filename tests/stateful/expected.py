"""What there should be: one session, and what its keyed requests should be told again."""

import struct
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.operations.keys import Key
from service.sessions.reader import BEYOND_ALL_COPIES
from service.sessions.receipts import KEPT_ANSWER_BYTES, KEPT_RECEIPTS, KEPT_WRITERS
from service.stores.store import Session
from tests.oracle import assert_agrees
from tests.stateful.requests import Request, Told

_WRITER = struct.Struct("<8sQ")


@dataclass(slots=True)
class Remembered:
    """A keyed request that was applied. `size` is the room in bytes that its answer takes.

    One that is `recomputed` keeps its answer only for as long as it is the latest.
    """

    key: Key
    request: Request
    told: Told
    size: int = 0
    recomputed: bool = False
    kept: bool = True


class Moment(NamedTuple):
    """Where a session once was."""

    revision: int
    step: int
    changes: int


@dataclass(slots=True)
class Expected:
    """One session, from its creation until its tombstone is forgotten. `state` is [S]."""

    session_id: str
    model: str
    version: int
    step: int
    changes: int
    revision: int
    state: NDArray[np.float64]
    created_at: float
    expires_at: float
    ttl: float
    metadata: bytes
    birth: Remembered | None = None
    remembered: list[Remembered] = field(default_factory=list)
    """The latest keyed requests, newest first."""
    writers: dict[bytes, int] = field(default_factory=dict)
    """The highest number of every writer, the latest writer last."""
    output: NDArray[np.float64] | None = None
    """The last output [O], None where there is none."""
    bits: bytes | None = None
    """The state bit by bit, once it has been seen and nothing has touched it since."""
    finished: bool = False
    past: list[Moment] = field(default_factory=list)
    """Everywhere that it was, also what a store has lost since."""
    lost: frozenset[Moment] = frozenset()
    """What a store has lost of it just now, and somebody may have a copy of."""
    fell_back_from: int | None = None

    @property
    def tag(self) -> str:
        return f"{self.revision:x}"

    def recall(self, key: Key) -> Remembered | None:
        """What came with this key, whatever the request was."""
        known = self.remembered if self.birth is None else [*self.remembered, self.birth]
        return next((one for one in known if one.key.digest == key.digest), None)

    def remember(self, newest: Remembered) -> None:
        """Make room for it: the answers of the earlier ones go first, those without any stay."""
        room = KEPT_ANSWER_BYTES - newest.size
        for earlier in self.remembered:
            room -= earlier.size
            if earlier.recomputed or (earlier.size and room < 0):
                earlier.kept, earlier.size = False, 0
        self.remembered = [newest, *self.remembered[: KEPT_RECEIPTS - 1]]
        self.count(newest.key)

    def count(self, key: Key) -> None:
        """A numbered key raises its writer's number; the writer heard last is kept longest."""
        if key.number:
            self.writers.pop(key.writer, None)
            self.writers[key.writer] = key.number
            while len(self.writers) > KEPT_WRITERS:
                del self.writers[next(iter(self.writers))]

    def move(
        self, now: float, revision: int, *, step: int, state: NDArray[np.float64] | None = None
    ) -> None:
        """What every change does; without a state it stays bit by bit."""
        assert revision not in {moment.revision for moment in self.past}
        self.changes += 1
        self.revision = revision
        self.step = step
        self.expires_at = now + self.ttl
        self.fell_back_from = None
        self.been()
        if state is not None:
            self.state, self.bits = state, None

    def been(self) -> None:
        self.past.append(Moment(self.revision, self.step, self.changes))

    def finish(self, now: float) -> None:
        """Nothing is left but that it was, and who made it."""
        self.finished = True
        self.expires_at = min(now, self.expires_at)
        self.remembered, self.writers = [], {}
        self.fell_back_from = None

    def copy(self) -> "Expected":
        """As it is now, with a past that goes on."""
        remembered = [replace(one) for one in self.remembered]
        return replace(self, remembered=remembered, writers=dict(self.writers))

    def lose(self) -> None:
        """A store has fallen back to this: everything that came later may be known somewhere."""
        self.lost = frozenset(
            moment
            for moment in self.past
            if moment.changes >= self.changes and moment.revision != self.revision
        )

    def mark(self, revision: int, lost_step: int, changes: int | None = None) -> None:
        """Somebody has noticed that the store fell back, and says from where.

        `changes` is the count after that, where it is known: beyond all that were lost.
        """
        proofs = {one.changes + BEYOND_ALL_COPIES for one in self.lost if one.step == lost_step}
        assert proofs, f"nothing was lost at step {lost_step}"
        assert changes is None or changes in proofs
        assert revision not in {moment.revision for moment in self.past}
        self.revision, self.fell_back_from = revision, lost_step
        self.changes = max(proofs) if changes is None else changes
        self.lost = frozenset()
        self.been()

    def noticed(self) -> None:
        """The latest of what was lost is known to whoever is asked next, who marks the session."""
        self.changes = self.past[-1].changes + BEYOND_ALL_COPIES
        self.lost = frozenset()

    def compare(self, found: Session) -> None:
        """The stored session is this one. What was computed may be a little off, once."""
        if self.lost and found.revision != self.revision:
            assert found.fell_back_from is not None
            self.mark(found.revision, found.fell_back_from, found.changes)
        for name in ("model", "version", "step", "revision", "changes", "created_at", "expires_at"):
            assert getattr(found, name) == getattr(self, name), (self.session_id, name)
        assert (found.ttl_seconds, found.metadata) == (self.ttl, self.metadata)
        assert (found.fell_back_from, found.finished) == (self.fell_back_from, self.finished)
        newest_first = reversed(self.writers.items())
        assert found.writers == b"".join(_WRITER.pack(*writer) for writer in newest_first)
        state, output = np.split(found.state, [len(self.state)])
        if self.bits is None:
            assert_agrees(state, self.state)
            self.state, self.bits = state.astype(np.float64), state.tobytes()
        assert state.tobytes() == self.bits, "a state that nothing touched"
        if self.output is None:
            assert np.isnan(output).all()
            return
        assert_agrees(output, self.output)
        self.output = output.astype(np.float64)
