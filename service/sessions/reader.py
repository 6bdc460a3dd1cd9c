"""Reading sessions, and noticing where a store has lost what it had confirmed.

After a failover, or from an older file, a store has an earlier state of a session than one that
was answered. Only a copy that a process has kept can prove it: of the same session, which began at
the same moment, the copy has seen more changes than the store, or as many with another revision.
Then the session is marked in the store: until a client names the present state, requests are
refused with both step counts.
"""

from collections.abc import Sequence
from dataclasses import replace

import structlog

from service.errors import MustWait, StoreError
from service.metrics.catalogue import FELL_BACK
from service.sessions.recent import Recent
from service.sessions.revisions import fresh_revision
from service.stores.store import Found, Identity, Session, Store

BEYOND_ALL_COPIES = 1 << 32
"""How far a marked session's count of changes is ahead, so that no copy of what was lost proves
the same once more."""

log = structlog.get_logger()


class Reader:
    """Reads from a store on behalf of one thread."""

    def __init__(self, store: Store, recent: Recent) -> None:
        self._store = store
        self._recent = recent

    def read_one(self, identity: Identity) -> Found:
        return self.read([identity])[0]

    def read(self, identities: Sequence[Identity]) -> list[Found]:
        """As the store's `read`; sessions that fell back are marked. Raises MustWait alone."""
        found = self._store.read(identities)
        for index, identity in enumerate(identities):
            session = found[index]
            copy = self._recent.take(identity)
            if copy is None or session is None:
                continue
            if isinstance(session, StoreError):
                # What the store has when it is back may be older: the copy is all that proves it.
                self._recent.keep(copy, doubted=True)
            elif fell_back(copy, session):
                try:
                    found[index] = self._mark(session, copy)
                except MustWait:
                    self._recent.keep(copy, doubted=True)
                    raise
            elif copy.revision == session.revision:
                self._recent.keep(copy)
        return found

    def _mark(self, session: Session, copy: Session) -> Found:
        """What the store has then, which says from where it fell back."""
        FELL_BACK.inc()
        log.error(
            "session_fell_back",
            session_id=session.session_id,
            step=session.step,
            lost_step=copy.step,
        )
        found: Found = session
        # Others may go on with what had fallen back, or mark it first.
        while isinstance(found, Session) and fell_back(copy, found):
            marked = replace(
                found,
                revision=fresh_revision(),
                changes=copy.changes + BEYOND_ALL_COPIES,
                fell_back_from=copy.step,
            )
            (replaced,) = self._store.replace([marked], [found.revision])
            if replaced is True:
                return marked
            if isinstance(replaced, StoreError):
                self._recent.keep(copy, doubted=True)
                return replaced
            found = self._store.read([session.identity])[0]
        return found


def fell_back(copy: Session, stored: Session) -> bool:
    """Whether a copy proves that a store has lost changes of its session."""
    if copy.created_at != stored.created_at or not copy.changes or not stored.changes:
        return False
    if stored.changes == copy.changes:
        return stored.revision != copy.revision
    return stored.changes < copy.changes
