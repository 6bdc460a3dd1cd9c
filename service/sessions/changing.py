"""One change of one session: what it leaves, and the compare and set that makes it."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from service.errors import SessionContended, StoreError
from service.metrics.catalogue import REPLAYS
from service.operations.keys import Key
from service.operations.requests import Migrate, PutState
from service.records import record
from service.sessions.admission import admit, answerable
from service.sessions.reader import Reader
from service.sessions.receipts import Kind, Receipt, left_by
from service.sessions.revisions import fresh_revision
from service.stores.store import Session, Store

MAX_ATTEMPTS = 10
"""How often a change is made anew after losing a race, before it gives up."""


def change(
    store: Store,
    reader: Reader,
    request: PutState | Migrate,
    apply: Callable[[Session], Session],
    *,
    puts_state: bool = False,
) -> tuple[Session, bool]:
    """The session as the request left it, and whether an earlier try of it had done so.

    `apply` gives the changed session, or the very same one where there is nothing to change;
    `puts_state` says that it leaves nothing of the state. Raises what `admit` and `apply` raise,
    KeyReused, StoreError, SessionContended.
    """
    identity, conditions = request.identity, request.conditions
    digest = request.digest()
    for _ in range(MAX_ATTEMPTS):
        now = store.now()
        found = reader.read_one(identity)
        session, receipt = admit(found, identity.session_id, conditions, now, puts_state=puts_state)
        if receipt is not None:
            receipt.check(digest)
            REPLAYS.inc()
            return as_left(session, answerable(receipt, session)), True
        changed = apply(session)
        if changed is session and conditions.key is None and session.fell_back_from is None:
            return session, False
        kept = Kept(digest) if conditions.key is not None else None
        changed = advanced(changed, store, now, conditions.key, kept)
        if committed(store, changed, session.revision):
            return changed, False
    raise SessionContended(identity.session_id)


@record
class Kept:
    """What a keyed request leaves in its receipt: the digest of its meaning, and of its answer
    what is kept."""

    digest: bytes
    kind: Kind = Kind.ANSWER
    content: bytes = b""

    def receipt(self, key: Key, version: int, step: int, revision: int) -> Receipt:
        """With where the session is after the request."""
        return Receipt(key.digest, self.digest, version, step, revision, self.kind, self.content)


def advanced(
    session: Session,
    store: Store,
    now: float,
    key: Key | None = None,
    kept: Kept | None = None,
    *,
    step: int | None = None,
    state: NDArray[np.float32] | None = None,
) -> Session:
    """A session after one more change, alive for another time to live.

    Whatever a request changes, it has named the state that a store fell back to.
    """
    step = session.step if step is None else step
    revision = fresh_revision()
    receipts, writers = session.receipts, session.writers
    if key is not None and kept is not None:
        receipt = kept.receipt(key, session.version, step, revision)
        receipts, writers = left_by(session, key, receipt)
    # Not `replace`, which takes ten times as long.
    return Session(
        session.session_id,
        session.model,
        session.version,
        step,
        session.changes + 1 if store.counts_changes else 0,
        revision,
        session.state if state is None else state,
        session.created_at,
        now + session.ttl_seconds,
        session.ttl_seconds,
        session.metadata,
        receipts,
        writers,
        session.constants,
        session.tenant,
        None,
        session.finished,
        session.row,
    )


def as_left(session: Session, receipt: Receipt) -> Session:
    """The session's version, step and revision as a keyed request left them."""
    return replace(session, version=receipt.version, step=receipt.step, revision=receipt.revision)


def committed(store: Store, session: Session, expected: int) -> bool:
    """Compare and set one session; False after a lost race. Raises StoreError."""
    replaced = store.replace([session], [expected])[0]
    if isinstance(replaced, StoreError):
        raise replaced
    return replaced
