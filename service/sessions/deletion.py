"""How sessions end, and what is left: a tombstone, for as long as an expired session is kept."""

from contextlib import suppress
from dataclasses import replace

import numpy as np

from service.errors import (
    SessionContended,
    SessionDamaged,
    SessionExists,
    SessionFinished,
    SessionNotFound,
    StoreError,
)
from service.operations.conditions import Conditions
from service.sessions.admission import admit
from service.sessions.changing import MAX_ATTEMPTS, advanced, committed
from service.sessions.reader import Reader
from service.sessions.receipts import receipt_of_creation
from service.stores.store import Identity, Session, Store

_NO_STATE = np.zeros(0, np.float32)


def delete(store: Store, reader: Reader, identity: Identity, conditions: Conditions) -> bool:
    """End a session, also one that has expired or is damaged; whether it was alive.

    By its revision: a late command must not end a session made anew under the id. Raises
    SessionNotFound, SessionFinished, SessionContended, StoreError, and what `admit` raises where
    there are conditions.
    """
    for _ in range(MAX_ATTEMPTS):
        found, now = reader.read_one(identity), store.now()
        if isinstance(found, SessionDamaged):
            _bury_damaged(store, identity, found.model, now)
            return True
        if found is None:
            raise SessionNotFound(identity.session_id)
        if isinstance(found, StoreError):
            raise found
        if found.finished:
            raise SessionFinished(identity.session_id)
        if conditions.if_match is not None:
            admit(found, identity.session_id, conditions, now)
        if committed(store, tombstone(found, store, now), found.revision):
            return found.expires_at > now
    raise SessionContended(identity.session_id)


def tombstone(session: Session, store: Store, now: float) -> Session:
    """What is left of a session: that it was, which request made it, and when it ended."""
    receipts = b""
    # A late try of that request must not make it anew. Damage to receipts ends with them.
    with suppress(SessionDamaged):
        receipts = receipt_of_creation(session)
    return replace(
        advanced(session, store, now),
        state=_NO_STATE,
        expires_at=min(now, session.expires_at),
        metadata=b"{}",
        receipts=receipts,
        writers=b"",
        constants=b"",
        finished=True,
    )


def _bury_damaged(store: Store, identity: Identity, model: str, now: float) -> None:
    """Nothing can be compared: whatever is there is taken away."""
    if not store.remove(identity):
        return
    session = Session(
        session_id=identity.session_id,
        tenant=identity.tenant,
        model=model,
        version=1,
        step=0,
        changes=0,
        revision=0,
        state=_NO_STATE,
        created_at=now,
        expires_at=now,
        ttl_seconds=0.0,
    )
    try:
        store.create(tombstone(session, store, now))
    except SessionExists:  # made anew meanwhile
        return
