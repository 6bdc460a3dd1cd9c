"""A store that remembers whether its latest access failed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from service.errors import CommitUnknown, StoreError, StoreFull
from service.metrics.catalogue import CONFLICTS, STORE_ERRORS, STORE_SECONDS
from service.stores.store import Found, Position, Replaced, Session, Store

Result = TypeVar("Result")

_SECONDS = {
    operation: STORE_SECONDS.labels(operation)
    for operation in ("create", "read", "replace", "delete", "page", "count", "purge")
}

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
        self._seen("create", lambda: self._store.create(session))

    def read(self, session_ids: Sequence[str]) -> list[Found]:
        found = self._seen("read", lambda: self._store.read(session_ids))
        _count_failures(found)
        return found

    def replace(self, sessions: Sequence[Session]) -> list[Replaced]:
        replaced = self._seen("replace", lambda: self._store.replace(sessions))
        if not all(one is True for one in replaced):
            CONFLICTS.inc(sum(one is False for one in replaced))
            _count_failures(replaced)
        return replaced

    def delete(self, session_id: str, revision: int | None = None) -> bool:
        return self._seen("delete", lambda: self._store.delete(session_id, revision))

    def page(self, *, model: str | None, after: Position, limit: int) -> list[Session]:
        return self._seen("page", lambda: self._store.page(model=model, after=after, limit=limit))

    def count(self, now: float) -> int:
        return self._seen("count", lambda: self._store.count(now))

    def purge(self, expired_before: float, limit: int) -> int:
        return self._seen("purge", lambda: self._store.purge(expired_before, limit))

    def another(self) -> "ObservedStore | None":
        other = self._store.another()
        return None if other is None else ObservedStore(other, self._observation)

    def close(self) -> None:
        self._store.close()

    def _seen(self, operation: str, access: Callable[[], Result]) -> Result:
        try:
            with _SECONDS[operation].time():
                result = access()
        except StoreError as error:
            _count_failures([error])
            if not isinstance(error, StoreFull):
                self._observation.failure = error
            raise
        self._observation.failure = None
        return result


def _count_failures(outcomes: Sequence[object]) -> None:
    for outcome in outcomes:
        if isinstance(outcome, StoreFull):
            STORE_ERRORS.labels("full").inc()
        elif isinstance(outcome, CommitUnknown):
            STORE_ERRORS.labels("commit_unknown").inc()
        elif isinstance(outcome, StoreError):
            STORE_ERRORS.labels("unavailable").inc()


def lanes_of(store: ObservedStore) -> list[ObservedStore]:
    """The ways to a store that are worth a thread each: several where accesses are round trips."""
    lanes = [store]
    while len(lanes) < MAX_LANES and (other := store.another()) is not None:
        lanes.append(other)
    return lanes
