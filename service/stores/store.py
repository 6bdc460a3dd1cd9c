"""What a store of sessions must do.

A store knows nothing of models, batches or time: it keeps records and compares revisions.
Reads and replacements work on groups, since a batch of sessions is read and committed as one.
Calls come from one thread at a time.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from service.errors import StoreError
from service.records import record


@record
class Session:
    """One session as it is stored.

    `step` counts the time steps it has consumed; `revision` counts every change, so that it
    never repeats. `state` is float32 [S]. Times are seconds since the epoch. `metadata` (a JSON
    object) and `receipts` (what keyed requests left, see `service/sessions/receipts.py`) are
    bytes that a store keeps and does not read.

    `session_id`, `model` and `created_at` stay the same for as long as the session lives.
    """

    session_id: str
    model: str
    version: int
    step: int
    revision: int
    state: NDArray[np.float32]
    created_at: float
    expires_at: float
    ttl_seconds: float
    metadata: bytes = b"{}"
    receipts: bytes = b""


Found = Session | StoreError | None
"""A session, None where there is none, or why it could not be read."""

Replaced = bool | StoreError
"""Whether the revision was the expected one, or why it could not be replaced."""

Position = tuple[str, str]
"""A place in the order of listing: a model's name and a session's id."""


class Store(Protocol):
    """Sessions by id. Every method raises StoreError when the medium fails."""

    def create(self, session: Session) -> None:
        """Add a session, in the place of one with its id that expired before it was created.

        Raises SessionExists where a live one has the id, and then changes nothing.
        """

    def read(self, session_ids: Sequence[str]) -> list[Found]:
        """The sessions in the order of their ids.

        Where only a part of the medium fails, its sessions come as StoreError.
        """

    def replace(self, sessions: Sequence[Session]) -> list[Replaced]:
        """Compare and set a group in one commit.

        Each session replaces the stored one whose revision is exactly one less. False in its
        place means that the stored one is gone or has another revision, and is left as it was;
        a StoreError concerns that one alone; the others of the group are replaced all the same.
        When this returns, the changes are durable. What it raises has changed nothing, unless it
        is CommitUnknown.
        """

    def delete(self, session_id: str, revision: int | None = None) -> bool:
        """Remove a session; False when it was not there, or has another than the given revision."""

    def page(self, *, model: str | None, after: Position, limit: int) -> list[Session]:
        """Up to `limit` sessions behind a position, in order of model and id; of one model or all.

        Fewer than `limit` only at the end. The order is that of the code points.
        """

    def count(self, now: float) -> int:
        """How many sessions have `expires_at` above `now`."""

    def purge(self, expired_before: float, limit: int) -> int:
        """Remove up to `limit` sessions with `expires_at` below the given time; returns how many.

        Any of them, in any order. A store that forgets by itself may find fewer than there were.
        """

    def another(self) -> "Store | None":
        """The same store for one more thread; None where that would win nothing.

        Worth it where each access is a round trip, in which the other thread can work.
        """

    def close(self) -> None:
        """Release everything. No other call follows."""
