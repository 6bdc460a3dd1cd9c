"""A store that lives and dies with the process."""

from collections.abc import Sequence

from service.errors import SessionExists
from service.stores.store import Session


class MemoryStore:
    """Sessions in a dict: for tests and for scratch work. Nothing survives the process."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}

    def create(self, session: Session) -> None:
        stored = self._sessions.get(session.session_id)
        if stored is not None and stored.expires_at > session.created_at:
            raise SessionExists(session.session_id)
        self._sessions[session.session_id] = session

    def read(self, session_ids: Sequence[str]) -> list[Session | None]:
        return [self._sessions.get(session_id) for session_id in session_ids]

    def replace(self, sessions: Sequence[Session]) -> list[bool]:
        return [self._replace(session) for session in sessions]

    def delete(self, session_id: str) -> bool:
        return self._sessions.pop(session_id, None) is not None

    def page(self, *, model: str | None, after: str, limit: int) -> list[Session]:
        found = sorted(
            session_id
            for session_id, session in self._sessions.items()
            if session_id > after and model in (None, session.model)
        )
        return [self._sessions[session_id] for session_id in found[:limit]]

    def purge(self, expired_before: float) -> int:
        expired = [
            session_id
            for session_id, session in self._sessions.items()
            if session.expires_at < expired_before
        ]
        for session_id in expired:
            del self._sessions[session_id]
        return len(expired)

    def close(self) -> None:
        self._sessions.clear()

    def _replace(self, session: Session) -> bool:
        stored = self._sessions.get(session.session_id)
        if stored is None or stored.revision != session.revision - 1:
            return False
        self._sessions[session.session_id] = session
        return True
