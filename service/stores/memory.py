"""A store that lives and dies with the process."""

from collections.abc import Sequence
from heapq import nsmallest
from itertools import islice

from service.errors import SessionExists
from service.stores.clock import RETENTION_SECONDS, Clocks, Look, StoreClock
from service.stores.columns import Moves, as_records
from service.stores.store import Found, Identity, Listed, Position, Replaced, Session


class MemoryStore:
    """Sessions in a dict: for tests and for scratch work. Nothing survives the process."""

    is_quick = True
    node_of = None
    counts_changes = True

    def __init__(
        self, clocks: Clocks | None = None, *, retention_seconds: float = RETENTION_SECONDS
    ) -> None:
        """`clocks` are those of this machine, unless others are given."""
        self._sessions: dict[Identity, Session] = {}
        clocks = clocks or Clocks.of_this_machine()
        self._clock = StoreClock(clocks, _LooksInMemory(), retention_seconds)

    def create(self, session: Session) -> None:
        stored = self._sessions.get(session.identity)
        if stored is not None and stored.expires_at > session.created_at:
            raise SessionExists(session.session_id)
        self._sessions[session.identity] = session

    def read(self, identities: Sequence[Identity]) -> list[Found]:
        return [self._sessions.get(identity) for identity in identities]

    def replace(self, sessions: Sequence[Session], expected: Sequence[int]) -> list[Replaced]:
        return [
            self._replace(session, revision)
            for session, revision in zip(sessions, expected, strict=True)
        ]

    def advance(self, moves: Sequence[Moves]) -> list[Replaced]:
        return self.replace(*as_records(moves))

    def others_wrote(self) -> bool:
        return False

    def remove(self, identity: Identity) -> bool:
        return self._sessions.pop(identity, None) is not None

    def page(self, *, tenant: str, model: str | None, after: Position, limit: int) -> list[Listed]:
        positions = (
            (session.model, session.session_id)
            for session in self._sessions.values()
            if session.tenant == tenant and model in (None, session.model)
        )
        found = nsmallest(limit, (position for position in positions if position > after))
        return [self._sessions[Identity(tenant, session_id)] for _, session_id in found]

    def count(self, now: float) -> int:
        return sum(session.expires_at > now for session in self._sessions.values())

    def purge(self, expired_before: float, limit: int) -> int:
        expired = (
            identity
            for identity, session in self._sessions.items()
            if session.expires_at < expired_before
        )
        chosen = list(islice(expired, limit))
        for identity in chosen:
            del self._sessions[identity]
        return len(chosen)

    def now(self) -> float:
        return self._clock.now()

    @property
    def clock_held(self) -> str | None:
        return self._clock.held

    def refresh_clock(self) -> None:
        self._clock.refresh()

    def accept_clock(self) -> None:
        self._clock.accept()

    def finish_upgrade(self) -> int:
        return 0

    def clone_for_thread(self) -> "MemoryStore | None":
        return None

    def close(self) -> None:
        self._sessions.clear()

    def _replace(self, session: Session, expected: int) -> bool:
        stored = self._sessions.get(session.identity)
        if stored is None or stored.revision != expected:
            return False
        self._sessions[session.identity] = session
        return True


class _LooksInMemory:
    def __init__(self) -> None:
        self._looks: dict[str, Look] = {}

    def read_looks(self) -> dict[str, Look]:
        return dict(self._looks)

    def write_look(self, boot_id: str, look: Look, *, alone: bool) -> None:
        if alone:
            self._looks.clear()
        self._looks[boot_id] = look
