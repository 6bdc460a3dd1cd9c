"""A store that remembers whether its latest access failed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from service.errors import CommitUnknown, SessionDamaged, StoreError, StoreFull
from service.metrics.catalogue import CLOCK_HELD, CONFLICTS, STORE_ERRORS, STORE_SECONDS
from service.stores.store import Found, Identity, Listed, Position, Replaced, Session, Store

Result = TypeVar("Result")

_SECONDS = {
    operation: STORE_SECONDS.labels(operation)
    for operation in (
        *("create", "read", "replace", "remove", "page", "count", "purge", "refresh_clock"),
    )
}

MAX_THREADS = 3
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

    def read(self, identities: Sequence[Identity]) -> list[Found]:
        with _SECONDS["read"].time():
            found = self._store.read(identities)
        self._saw(found)
        return found

    def replace(self, sessions: Sequence[Session], expected: Sequence[int]) -> list[Replaced]:
        with _SECONDS["replace"].time():
            replaced = self._store.replace(sessions, expected)
        if not all(one is True for one in replaced):
            CONFLICTS.inc(sum(one is False for one in replaced))
        self._saw(replaced)
        return replaced

    def remove(self, identity: Identity) -> bool:
        return self._seen("remove", lambda: self._store.remove(identity))

    def page(self, *, tenant: str, model: str | None, after: Position, limit: int) -> list[Listed]:
        return self._seen(
            "page",
            lambda: self._store.page(tenant=tenant, model=model, after=after, limit=limit),
        )

    def count(self, now: float) -> int:
        return self._seen("count", lambda: self._store.count(now))

    def purge(self, expired_before: float, limit: int) -> int:
        return self._seen("purge", lambda: self._store.purge(expired_before, limit))

    @property
    def counts_changes(self) -> bool:
        return self._store.counts_changes

    def now(self) -> float:
        return self._store.now()

    @property
    def clock_held(self) -> str | None:
        return self._store.clock_held

    def refresh_clock(self) -> None:
        self._seen("refresh_clock", self._store.refresh_clock)
        CLOCK_HELD.set(self._store.clock_held is not None)

    def accept_clock(self) -> None:
        self._seen("refresh_clock", self._store.accept_clock)

    def clone_for_thread(self) -> "ObservedStore | None":
        other = self._store.clone_for_thread()
        return None if other is None else ObservedStore(other, self._observation)

    def close(self) -> None:
        self._store.close()

    def _seen(self, operation: str, access: Callable[[], Result]) -> Result:
        try:
            with _SECONDS[operation].time():
                result = access()
        except StoreError as error:
            self._saw([error])
            raise
        self._saw([result])
        return result

    def _saw(self, outcomes: Sequence[object]) -> None:
        """What one access gave: it went well where any session's part of it did."""
        failures = [one for one in outcomes if isinstance(one, StoreError)]
        _count_failures(failures)
        # A damaged session is no failure of the store, and a full one still reads.
        if len(failures) < len(outcomes) or not failures:
            self._observation.failure = None
        elif not isinstance(failures[0], StoreFull | SessionDamaged):
            self._observation.failure = failures[0]


def _count_failures(outcomes: Sequence[object]) -> None:
    for outcome in outcomes:
        if isinstance(outcome, StoreFull):
            STORE_ERRORS.labels("full").inc()
        elif isinstance(outcome, CommitUnknown):
            STORE_ERRORS.labels("commit_unknown").inc()
        elif isinstance(outcome, SessionDamaged):
            STORE_ERRORS.labels("damaged").inc()
        elif isinstance(outcome, StoreError):
            STORE_ERRORS.labels("unavailable").inc()


def stores_for_threads(store: ObservedStore) -> list[ObservedStore]:
    """The ways to a store that are worth a thread each: several where accesses are round trips."""
    stores = [store]
    while len(stores) < MAX_THREADS and (other := store.clone_for_thread()) is not None:
        stores.append(other)
    return stores
