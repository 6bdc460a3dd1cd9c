"""What a store of sessions must do.

A store knows nothing of models, batches or time: it keeps records and compares revisions.
Reads and replacements work on groups, since a batch of sessions is read and committed as one.
Calls come from one thread at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Session:
    """One session as it is stored.

    `step` counts the time steps it has consumed; `revision` counts every change, so that it
    never repeats. `state` is float32 [S]. Times are seconds since the epoch.
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


class Store(Protocol):
    """Sessions by id. Every method raises StoreError when the medium fails."""

    def create(self, session: Session) -> None:
        """Add a session, in the place of one with its id that expired before it was created.

        Raises SessionExists where a live one has the id, and then changes nothing.
        """

    def read(self, session_ids: Sequence[str]) -> list[Session | None]:
        """The sessions in the order of their ids; None for an id that is not there."""

    def replace(self, sessions: Sequence[Session]) -> list[bool]:
        """Compare and set a group in one commit.

        Each session replaces the stored one whose revision is exactly one less. False in its
        place means that the stored one is gone or has another revision, and is left as it was;
        the others of the group are replaced all the same. When this returns, the change is durable.
        """

    def delete(self, session_id: str) -> bool:
        """Remove a session; False when it was not there."""

    def page(self, *, model: str | None, after: str, limit: int) -> list[Session]:
        """Up to `limit` sessions with ids above `after`, ascending, optionally of one model."""

    def purge(self, expired_before: float) -> int:
        """Remove the sessions with `expires_at` below the given time; returns how many."""

    def close(self) -> None:
        """Release everything. No other call follows."""
