"""A store that remembers whether its latest access failed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TypeVar

from service.errors import CommitUnknown, SessionDamaged, StoreError, StoreFull
from service.metrics.catalogue import CLOCK_HELD, CONFLICTS, STORE_ERRORS, STORE_SECONDS
from service.stores.columns import Moves
from service.stores.store import Found, Identity, Listed, Position, Replaced, Session, Store

Result = TypeVar("Result")

_SECONDS = {
    operation: STORE_SECONDS.labels(operation)
    for operation in ("create", "read", "replace", "remove", "page", "count", "purge", "clock")
}

MAX_WORKER_THREADS = 3
"""One group of sessions is read while another is computed and a third is committed."""


@dataclass(slots=True)
class Observation:
    """`failure` of the latest access; None when it went well. A full store still reads, and
    counts."""

    failure: StoreError | None = None


class ObservedStore:
    """Any store, watched: readiness asks it instead of probing a store that hangs."""

    def __init__(self, store: Store, observation: Observation | None = None) -> None:
        """Clones for other threads share one observation."""
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
        self._judge(found)
        return found

    def replace(self, sessions: Sequence[Session], expected: Sequence[int]) -> list[Replaced]:
        with _SECONDS["replace"].time():
            replaced = self._store.replace(sessions, expected)
        return self._judge_replaced(replaced)

    def advance(self, moves: Sequence[Moves]) -> list[Replaced]:
        began = perf_counter()
        replaced = self._store.advance(moves)
        _SECONDS["replace"].observe(perf_counter() - began)
        return self._judge_replaced(replaced)

    def others_wrote(self) -> bool:
        return self._store.others_wrote()

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
    def is_quick(self) -> bool:
        return self._store.is_quick

    @property
    def node_of(self) -> Callable[[Identity], object] | None:
        return self._store.node_of

    @property
    def counts_changes(self) -> bool:
        return self._store.counts_changes

    def now(self) -> float:
        return self._store.now()

    @property
    def clock_held(self) -> str | None:
        return self._store.clock_held

    def refresh_clock(self) -> None:
        self._seen("clock", self._store.refresh_clock)
        CLOCK_HELD.set(self._store.clock_held is not None)

    def accept_clock(self) -> None:
        self._seen("clock", self._store.accept_clock)

    def finish_upgrade(self) -> int:
        return self._seen("replace", self._store.finish_upgrade)

    def clone_for_thread(self) -> "ObservedStore | None":
        clone = self._store.clone_for_thread()
        return None if clone is None else ObservedStore(clone, self._observation)

    def close(self) -> None:
        self._store.close()

    def _seen(self, operation: str, access: Callable[[], Result]) -> Result:
        try:
            with _SECONDS[operation].time():
                result = access()
        except StoreError as error:
            self._judge([error])
            raise
        self._observation.failure = None
        return result

    def _judge_replaced(self, replaced: list[Replaced]) -> list[Replaced]:
        if replaced.count(True) < len(replaced):
            CONFLICTS.inc(sum(one is False for one in replaced))
            self._judge(replaced)
        else:
            self._observation.failure = None
        return replaced

    def _judge(self, outcomes: Sequence[object]) -> None:
        """Whether the store fails: where it had no answer for anything of an access."""
        errors = {id(one): one for one in outcomes if isinstance(one, StoreError)}
        for error in errors.values():
            STORE_ERRORS.labels(_reason(error)).inc()
        # A damaged session is an answer: the store was there, and read it.
        if any(
            isinstance(one, SessionDamaged) or not isinstance(one, StoreError) for one in outcomes
        ):
            self._observation.failure = None
            return
        failures = [one for one in errors.values() if not isinstance(one, StoreFull)]
        if failures:
            self._observation.failure = failures[0]


def _reason(error: StoreError) -> str:
    if isinstance(error, StoreFull):
        return "full"
    if isinstance(error, CommitUnknown):
        return "commit_unknown"
    if isinstance(error, SessionDamaged):
        return "damaged"
    return "unavailable"


def stores_for_threads(store: ObservedStore) -> list[ObservedStore]:
    """One for each worker thread that is worth it: several where accesses are round trips."""
    stores = [store]
    while len(stores) < MAX_WORKER_THREADS and (clone := store.clone_for_thread()) is not None:
        stores.append(clone)
    return stores
