"""A store that lives and dies with the process."""

from collections.abc import Sequence
from heapq import nsmallest
from itertools import islice

from service.errors import SessionExists
from service.stores.store import Found, Position, Replaced, Session


class MemoryStore:
    """Sessions in a dict: for tests and for scratch work. Nothing survives the process."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}

    def create(self, session: Session) -> None:
        stored = self._sessions.get(session.session_id)
        if stored is not None and stored.expires_at > session.created_at:
            raise SessionExists(session.session_id)
        self._sessions[session.session_id] = session

    def read(self, session_ids: Sequence[str]) -> list[Found]:
        return [self._sessions.get(session_id) for session_id in session_ids]

    def replace(self, sessions: Sequence[Session]) -> list[Replaced]:
        return [self._replace(session) for session in sessions]

    def delete(self, session_id: str, revision: int | None = None) -> bool:
        stored = self._sessions.get(session_id)
        if stored is None or revision not in (None, stored.revision):
            return False
        del self._sessions[session_id]
        return True

    def page(self, *, model: str | None, after: Position, limit: int) -> list[Session]:
        positions = (
            (session.model, session_id)
            for session_id, session in self._sessions.items()
            if model in (None, session.model)
        )
        found = nsmallest(limit, (position for position in positions if position > after))
        return [self._sessions[session_id] for _, session_id in found]

    def count(self, now: float) -> int:
        return sum(session.expires_at > now for session in self._sessions.values())

    def purge(self, expired_before: float, limit: int) -> int:
        expired = (
            session_id
            for session_id, session in self._sessions.items()
            if session.expires_at < expired_before
        )
        chosen = list(islice(expired, limit))
        for session_id in chosen:
            del self._sessions[session_id]
        return len(chosen)

    def another(self) -> None:
        return None

    def close(self) -> None:
        self._sessions.clear()

    def _replace(self, session: Session) -> bool:
        stored = self._sessions.get(session.session_id)
        if stored is None or stored.revision != session.revision - 1:
            return False
        self._sessions[session.session_id] = session
        return True
