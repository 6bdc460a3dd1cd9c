"""What a store of sessions must do.

A store knows nothing of models or batches: it keeps records, compares revisions and tells the
time. Reads and replacements work on groups, since a batch of sessions is read and committed as
one, and give an outcome for every session: what is wrong with one is no other's fault.
Calls come from one thread at a time.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from service.errors import SessionDamaged, StoreError
from service.records import record

if TYPE_CHECKING:
    from service.stores.columns import Moves


class Identity(NamedTuple):
    """What a session is found by. The tenant is "" where there are none."""

    tenant: str
    session_id: str


@record
class Session:
    """One session as it is stored.

    `step` counts the time steps it has consumed, `changes` every change; 0 where what is stored
    was written by a release that did not count. `revision` is 63 random bits, new with every
    change, which nothing orders. `state` is float32 [S], or [S + O] with the last output behind the
    state (`service/sessions/vectors.py`); to a store it is one vector. Times are seconds since the
    epoch. `metadata` (a JSON object), `receipts` and `writers` (what keyed requests left, see
    `service/sessions/receipts.py`) and `constants` (inputs of the model that stay the same,
    float32) are bytes that a store keeps and does not read.

    `fell_back_from` is the step count that a store has lost and somebody still knows, until a
    client names the present state. A `finished` session has been deleted: a tombstone that keeps
    its identity, and expired when it was deleted.

    `tenant`, `session_id`, `model`, `created_at`, `metadata` and `constants` stay the same for as
    long as the session lives; a tombstone may have other metadata and constants. `row` is the
    store's own name for it, 0 where it has none.
    """

    session_id: str
    model: str
    version: int
    step: int
    changes: int
    revision: int
    state: NDArray[np.float32]
    created_at: float
    expires_at: float
    ttl_seconds: float
    metadata: bytes = b"{}"
    receipts: bytes = b""
    writers: bytes = b""
    constants: bytes = b""
    tenant: str = ""
    fell_back_from: int | None = None
    finished: bool = False
    row: int = 0

    @property
    def identity(self) -> Identity:
        return Identity(self.tenant, self.session_id)


Found = Session | StoreError | None
"""A session, None where there is none, or why it could not be read."""

Replaced = bool | StoreError
"""Whether the revision was the expected one, or why it could not be replaced."""

Listed = Session | SessionDamaged
"""A session in a listing, or which one cannot be read."""

Position = tuple[str, str]
"""A place in the order of listing: a model's name and a session's id."""


class Store(Protocol):
    """Sessions by tenant and id. Methods raise StoreError when the medium fails, except for those
    that give an outcome for every session."""

    def create(self, session: Session) -> None:
        """Add a session, in the place of one with its identity that expired before it was created.

        Raises SessionExists where a live one, or one that cannot be read, has the identity, and
        then changes nothing.
        """

    def read(self, identities: Sequence[Identity]) -> list[Found]:
        """The sessions in the order of their identities.

        A StoreError in the place of one concerns that one: SessionDamaged where what is stored
        cannot be read, any other where its part of the medium fails. Never raises.
        """

    def replace(self, sessions: Sequence[Session], expected: Sequence[int]) -> list[Replaced]:
        """Compare and set a group in one commit.

        Each session, as it was read but for what has changed, replaces the stored one that has
        the expected revision. False in its place means that the stored one is gone or has another
        revision, and is left as it was; a StoreError concerns that one alone; the others of the
        group are replaced all the same. When this returns, the changes are durable. Where an
        outcome is a StoreError nothing was changed, unless it is CommitUnknown. Never raises.
        """

    def advance(self, moves: "Sequence[Moves]") -> list[Replaced]:
        """As `replace`, of groups of sessions that have moved on by time steps, in one commit.

        An outcome for each session of each group, one behind the other.
        """

    def others_wrote(self) -> bool:
        """Whether another process may have changed something since this was asked last.

        False also where asking would take a round trip: then compare and set finds out.
        """

    def remove(self, identity: Identity) -> bool:
        """Remove what is stored, readable or not, without a tombstone; False where nothing is.

        Raises StoreError also where the medium is too damaged for that.
        """

    def page(self, *, tenant: str, model: str | None, after: Position, limit: int) -> list[Listed]:
        """Up to `limit` sessions behind a position, in order of model and id; of one model or all.

        Fewer than `limit` only at the end. The order is that of the code points. Expired ones and
        tombstones are among them.
        """

    def count(self, now: float) -> int:
        """How many sessions of all tenants have `expires_at` above `now`."""

    def purge(self, expired_before: float, limit: int) -> int:
        """Remove up to `limit` sessions with `expires_at` below the given time; returns how many.

        Any of them, in any order, tombstones among them.
        """

    @property
    def is_quick(self) -> bool:
        """Whether an access takes some microseconds, unless the medium is busy."""

    @property
    def node_of(self) -> Callable[[Identity], object] | None:
        """Tells sessions apart that lie on nodes which answer each for itself; None where all lie
        on one."""

    @property
    def counts_changes(self) -> bool:
        """False while sessions are written for an older release, which neither counts changes nor
        knows of the last output."""

    def now(self) -> float:
        """The only clock for lives of sessions: see `service/stores/clock.py`."""

    @property
    def clock_held(self) -> str | None:
        """Why nothing may expire now; None where the clock is trusted."""

    def refresh_clock(self) -> None:
        """Compare the clock with what the store knows of it; called by upkeep, once a minute."""

    def accept_clock(self) -> None:
        """Trust the clock as it is now, for all processes."""

    def finish_upgrade(self) -> int:
        """Write everything as this release does, once nobody uses an older one; how many sessions
        were not yet."""

    def clone_for_thread(self) -> "Store | None":
        """The same store for one more thread; None where that would win nothing.

        Worth it where each access is a round trip, in which the other thread can work.
        """

    def close(self) -> None:
        """Release everything. No other call follows."""
