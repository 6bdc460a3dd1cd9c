"""A store that remembers whether its latest access failed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from service.errors import StoreError, StoreFull
from service.stores.store import Found, Position, Replaced, Session, Store

Result = TypeVar("Result")

MAX_LANES = 3
"""One group of sessions is read while another is computed and a third is committed."""


@dataclass(slots=True)
class Observation:
    """`failure` of the latest access; None when it went well. A full store still reads, and
    counts."""

    failure: StoreError | None = None


class ObservedStore:
    """Any store, watched: readiness asks it instead of probing a store that hangs."""

    def __init__(self, store: Store, observation: Observation | None = None) -> None:
        """Several may share an observation: ways of different threads to one store."""
        self._store = store
        self._observation = observation or Observation()

    @property
    def failure(self) -> StoreError | None:
        return self._observation.failure

    def create(self, session: Session) -> None:
        self._seen(lambda: self._store.create(session))

    def read(self, session_ids: Sequence[str]) -> list[Found]:
        return self._seen(lambda: self._store.read(session_ids))

    def replace(self, sessions: Sequence[Session]) -> list[Replaced]:
        return self._seen(lambda: self._store.replace(sessions))

    def delete(self, session_id: str, revision: int | None = None) -> bool:
        return self._seen(lambda: self._store.delete(session_id, revision))

    def page(self, *, model: str | None, after: Position, limit: int) -> list[Session]:
        return self._seen(lambda: self._store.page(model=model, after=after, limit=limit))

    def count(self, now: float) -> int:
        return self._seen(lambda: self._store.count(now))

    def purge(self, expired_before: float, limit: int) -> int:
        return self._seen(lambda: self._store.purge(expired_before, limit))

    def another(self) -> "ObservedStore | None":
        other = self._store.another()
        return None if other is None else ObservedStore(other, self._observation)

    def close(self) -> None:
        self._store.close()

    def _seen(self, access: Callable[[], Result]) -> Result:
        try:
            result = access()
        except StoreFull:
            raise
        except StoreError as error:
            self._observation.failure = error
            raise
        self._observation.failure = None
        return result


def lanes_of(store: ObservedStore) -> list[ObservedStore]:
    """The ways to a store that are worth a thread each: several where accesses are round trips."""
    lanes = [store]
    while len(lanes) < MAX_LANES and (other := store.another()) is not None:
        lanes.append(other)
    return lanes
