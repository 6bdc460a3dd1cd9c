"""How many sessions may live at once."""

import time
from collections.abc import Callable
from contextlib import suppress

from service.errors import StoreError, TooManySessions
from service.metrics.catalogue import SESSIONS
from service.stores.store import Store

COUNTED_FOR_SECONDS = 1.0
"""Counting walks through an index of all sessions; this long one count is relied on."""
FULL_FOR_SECONDS = 0.1
"""And this long where it refuses, since sessions expire and others end them."""


class Capacity:
    """Refuses new sessions where `max_sessions` live already; never ends one to make room.

    Between two counts only the sessions made here are known of: several processes that create at
    the same time can overshoot by what the others create in `COUNTED_FOR_SECONDS`.
    """

    def __init__(
        self, store: Store, max_sessions: int, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._max_sessions = max_sessions
        self._monotonic = monotonic
        self._living = 0
        self._counted_at = float("-inf")

    def check(self) -> None:
        """Raises TooManySessions."""
        full = self._living >= self._max_sessions
        age = self._monotonic() - self._counted_at
        if age > (FULL_FOR_SECONDS if full else COUNTED_FOR_SECONDS):
            # Where a part of the store is away, the rest of it goes on with the last count.
            with suppress(StoreError):
                self.count()
        if self._living >= self._max_sessions:
            raise TooManySessions(
                f"{self._living} sessions live, at most {self._max_sessions} may; "
                "end some, or start the service with a larger --max-sessions"
            )

    def count(self) -> None:
        """Ask the store how many live. Raises StoreError."""
        self._counted_at = self._monotonic()  # also where it fails: not asked again at once
        self._know(self._store.count(self._store.now()))

    def created(self) -> None:
        """One more lives."""
        self._know(self._living + 1)

    def ended(self) -> None:
        """One fewer lives."""
        self._know(self._living - 1)

    def _know(self, living: int) -> None:
        self._living = living
        SESSIONS.set(living)
