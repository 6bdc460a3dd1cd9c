"""A store that knows in which order changes came."""

from collections.abc import Sequence

from service.stores.columns import Moves
from service.stores.observed import ObservedStore
from service.stores.store import Replaced, Session, Store


class NotingStore(ObservedStore):
    """Any store, and beside it `changes`: which change of its session each revision was.

    Revisions are random and say nothing of their order, but for this.
    """

    def __init__(self, store: Store, changes: dict[int, int]) -> None:
        super().__init__(store)
        self._changes = changes

    def replace(self, sessions: Sequence[Session], expected: Sequence[int]) -> list[Replaced]:
        for session in sessions:
            self._changes[session.revision] = session.changes
        return super().replace(sessions, expected)

    def advance(self, moves: Sequence[Moves]) -> list[Replaced]:
        for one in moves:
            self._changes.update(zip(one.sessions.revisions, one.sessions.changes, strict=True))
        return super().advance(moves)

    def clone_for_thread(self) -> "NotingStore | None":
        clone = self._store.clone_for_thread()
        return None if clone is None else NotingStore(clone, self._changes)
