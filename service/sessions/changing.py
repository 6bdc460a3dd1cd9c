"""One change of one session that needs no graph: read, check, change, compare and set."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from service.errors import SessionContended, StoreError
from service.metrics.catalogue import REPLAYS
from service.sessions.conditions import Conditions, admit
from service.sessions.receipts import Key, Kind, Receipt, remember
from service.stores.store import Session, Store

MAX_ATTEMPTS = 10
"""How often a change is made anew after losing a race, before it gives up."""


def change(
    store: Store,
    clock: Callable[[], float],
    session_id: str,
    conditions: Conditions,
    apply: Callable[[Session], Session],
) -> tuple[Session, bool]:
    """The session as the request left it, and whether an earlier try of it had done so.

    `apply` gives the changed session, or the very same one where there is nothing to change.
    Raises what `admit` and `apply` raise, StoreError, SessionContended.
    """
    for _ in range(MAX_ATTEMPTS):
        now = clock()
        session, receipt = admit(store.read([session_id])[0], session_id, conditions, now)
        if receipt is not None:
            REPLAYS.inc()
            return as_left(session, receipt), True
        changed = apply(session)
        if changed is session and conditions.key is None:
            return session, False
        changed = advanced(changed, now, conditions.key)
        if committed(store, changed):
            return changed, False
    raise SessionContended(session_id)


def advanced(
    session: Session,
    now: float,
    key: Key | None,
    *,
    step: int | None = None,
    state: NDArray[np.float32] | None = None,
    kept: tuple[Kind, bytes] = (Kind.ANSWER, b""),
) -> Session:
    """The next revision of a session, alive for another time to live.

    A keyed request leaves its receipt, with what is `kept` of its answer.
    """
    step = session.step if step is None else step
    revision = session.revision + 1
    receipts = session.receipts
    if key is not None:
        receipts = remember(session, Receipt(key, session.version, step, revision, *kept))
    # Not `replace`, which takes ten times as long.
    return Session(
        session.session_id,
        session.model,
        session.version,
        step,
        revision,
        session.state if state is None else state,
        session.created_at,
        now + session.ttl_seconds,
        session.ttl_seconds,
        session.metadata,
        receipts,
    )


def as_left(session: Session, receipt: Receipt) -> Session:
    """The session's version, step and revision as a keyed request left them."""
    return replace(session, version=receipt.version, step=receipt.step, revision=receipt.revision)


def committed(store: Store, session: Session) -> bool:
    """Compare and set one session; False after a lost race. Raises StoreError."""
    replaced = store.replace([session])[0]
    if isinstance(replaced, StoreError):
        raise replaced
    return replaced
