"""Sessions as this process stored them last, so that a step need not read them again.

Another process may have changed them since. So what is found here is good for one thing: to
compute a step that is committed by compare and set, which fails where the session has moved. What
a caller is told, an error or an earlier answer, comes from the store.
"""

from collections.abc import Sequence

from service.stores.store import Session

OVERHEAD_BYTES = 1024
"""What a session takes besides its state, its metadata and its receipts."""


class Recent:
    """The sessions used last, up to so many bytes.

    Threads may share it: every operation on its dict is atomic, and one session is worked on by
    one thread at a time.
    """

    def __init__(self, max_bytes: int) -> None:
        """Nothing is kept where `max_bytes` is 0."""
        self._max_bytes = max_bytes
        self._sessions: dict[str, Session] = {}
        self._bytes = 0

    def find(self, session_ids: Sequence[str]) -> list[Session | None]:
        return [*map(self._sessions.get, session_ids)]

    def is_kept(self, session: Session) -> bool:
        """Whether it is this very copy that is found here."""
        return self._sessions.get(session.session_id) is session

    def keep(self, session: Session) -> None:
        """In place of an older one under its id; those used longest ago make room."""
        self.forget(session.session_id)
        self._bytes += _size(session)
        self._sessions[session.session_id] = session
        while self._bytes > self._max_bytes and self._sessions:
            self.forget(next(iter(self._sessions)))

    def forget(self, session_id: str) -> None:
        session = self._sessions.pop(session_id, None)
        if session is not None:
            self._bytes -= _size(session)


def _size(session: Session) -> int:
    lengths = session.state.nbytes + len(session.receipts) + len(session.metadata)
    return OVERHEAD_BYTES + lengths
