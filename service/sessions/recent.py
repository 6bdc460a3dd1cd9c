"""Sessions as this process stored them last, so that a step need not read them again.

Another process may have changed them since. So what is found here is good for two things: to
compute a step that is committed by compare and set, which fails where the session has moved; and
to notice that a store has lost what it had confirmed. What a caller is told, an error or an
earlier answer, comes from the store.
"""

from collections.abc import Sequence
from threading import Lock

from service.stores.store import Identity, Session

OVERHEAD_BYTES = 1024
"""What a session takes besides its state, its metadata and its receipts."""


_DOUBTED = -1


class Recent:
    """The sessions used last, up to so many bytes. Threads may share it."""

    def __init__(self, max_bytes: int) -> None:
        """Nothing is kept where `max_bytes` is 0."""
        self._max_bytes = max_bytes
        self._sessions: dict[Identity, Session] = {}
        self._looks = 0
        self._kept_at: dict[Identity, int] = {}
        """At which look a copy was known to be the store's; `_DOUBTED` where it may not be."""
        self._bytes = 0
        self._lock = Lock()

    def find(
        self, identities: Sequence[Identity], *, others_wrote: bool = False
    ) -> list[Session | None]:
        """Copies that nobody doubts. `others_wrote` says that another process has changed some
        session since this was asked last: no copy of before is found any more."""
        with self._lock:
            self._looks += others_wrote
            now, kept_at = self._looks, self._kept_at.get
            return [
                self._sessions[identity] if kept_at(identity) == now else None
                for identity in identities
            ]

    def keep(self, session: Session, *, doubted: bool = False) -> None:
        """In place of an older one under its id; those used longest ago make room."""
        with self._lock:
            self._remove(session.identity)
            self._bytes += _size(session)
            self._sessions[session.identity] = session
            self._kept_at[session.identity] = _DOUBTED if doubted else self._looks
            while self._bytes > self._max_bytes and self._sessions:
                self._remove(next(iter(self._sessions)))

    def doubt(self, identity: Identity) -> None:
        """Find a copy no more, but keep it until the session is read."""
        with self._lock:
            if identity in self._sessions:
                self._kept_at[identity] = _DOUBTED

    def take(self, identity: Identity) -> Session | None:
        """The copy, doubted or not, which is not kept any more."""
        with self._lock:
            return self._remove(identity)

    def _remove(self, identity: Identity) -> Session | None:
        session = self._sessions.pop(identity, None)
        if session is not None:
            self._bytes -= _size(session)
            del self._kept_at[identity]
        return session


def _size(session: Session) -> int:
    lengths = session.state.nbytes + len(session.receipts) + len(session.metadata)
    return OVERHEAD_BYTES + lengths + len(session.writers)
