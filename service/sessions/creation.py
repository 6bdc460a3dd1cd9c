"""How sessions begin: new, or from another one; once for each keyed request."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from service.bundle.manifest import Manifest
from service.errors import SessionExists, StoreError
from service.metrics.catalogue import REPLAYS
from service.operations.keys import Key
from service.operations.requests import NewSession
from service.sessions.admission import alive, comparable
from service.sessions.capacity import Capacity
from service.sessions.changing import as_left
from service.sessions.damage import metadata_of
from service.sessions.reader import Reader
from service.sessions.receipts import Kind, Receipt, left_by, recall
from service.sessions.revisions import fresh_revision
from service.stores.store import Identity, Session, Store

_NAMESPACE = uuid.UUID("6f2d1c1e-5a0b-4f43-9d57-7d8f0f6b1d11")


@dataclass(frozen=True, slots=True, eq=False)
class Creation:
    """Makes sessions and puts them into the store. Runs on a worker's thread."""

    store: Store
    reader: Reader
    capacity: Capacity
    ttl_seconds: float

    def begin(
        self, identity: Identity, new: NewSession, manifest: Manifest, state: NDArray[np.float32]
    ) -> Session:
        """A session of a model at step 0, from a vector; not stored yet."""
        now = self.store.now()
        ttl = self.ttl_seconds if new.ttl_seconds is None else new.ttl_seconds
        return Session(
            session_id=identity.session_id,
            tenant=identity.tenant,
            model=manifest.name,
            version=manifest.version,
            step=0,
            changes=self._first_change(),
            revision=fresh_revision(),
            state=state,
            created_at=now,
            expires_at=now + ttl,
            ttl_seconds=ttl,
            metadata=b"{}" if new.metadata is None else new.metadata,
        )

    def fork(self, identity: Identity, new: NewSession, source: Session) -> Session:
        """A session that goes on from where `source` is; not stored yet.

        Raises SessionDamaged where it would inherit damaged metadata.
        """
        if new.metadata is None:
            metadata_of(source)
        now = self.store.now()
        ttl = source.ttl_seconds if new.ttl_seconds is None else new.ttl_seconds
        return replace(
            source,
            session_id=identity.session_id,
            changes=self._first_change(),
            revision=fresh_revision(),
            created_at=now,
            expires_at=now + ttl,
            ttl_seconds=ttl,
            metadata=source.metadata if new.metadata is None else new.metadata,
            receipts=b"",
            writers=b"",
            fell_back_from=None,
            row=0,
        )

    def once(
        self, identity: Identity, make: Callable[[], Session], key: Key | None, digest: bytes
    ) -> tuple[Session, bool]:
        """Store what `make` gives, unless an earlier try of the same keyed request did so.

        `digest` is that of the request's meaning. Returns the session as it was made, and whether
        that was earlier. Raises SessionExists, TooManySessions, KeyReused, AnswerNotKept,
        StoreError, and what `make` raises.
        """
        if key is not None and (made := self._made_before(identity, key, digest)) is not None:
            return made, True
        session = make()
        if key is not None:
            session = _with_receipt(session, key, digest)
        self.capacity.check()
        try:
            # In the place of an expired one: a caller that chooses its ids may begin anew.
            self.store.create(session)
        except SessionExists:
            # Another replica may have been faster with another try of this very request.
            if key is None or (made := self._made_before(identity, key, digest)) is None:
                raise
            return made, True
        self.capacity.created()
        return session, False

    def _first_change(self) -> int:
        return 1 if self.store.counts_changes else 0

    def _made_before(self, identity: Identity, key: Key, digest: bytes) -> Session | None:
        """The session as this keyed request made it; None where it did not."""
        found = self.reader.read_one(identity)
        if isinstance(found, StoreError):
            raise found
        receipt = None if found is None else recall(found, key)
        if found is None or receipt is None or receipt.kind is not Kind.CREATION:
            return None
        # A key that is used for something else is wrong, whatever has become of the session.
        comparable(receipt, found).check(digest)
        session = as_left(alive(found, identity.session_id, self.store.now()), receipt)
        REPLAYS.inc()
        return replace(session, expires_at=session.created_at + session.ttl_seconds)


def chosen_id(session_id: str | None, key: Key | None, scope: str) -> str:
    """The caller's choice; else the same one for every try of a key; else a random one.

    A retry must find the session that its first try made, on whatever replica.
    """
    if session_id is not None:
        return session_id
    if key is None:
        return uuid.uuid4().hex
    return uuid.uuid5(_NAMESPACE, f"{scope}/{key.digest.hex()}").hex


def _with_receipt(session: Session, key: Key, digest: bytes) -> Session:
    receipt = Receipt(
        key.digest, digest, session.version, session.step, session.revision, Kind.CREATION
    )
    receipts, writers = left_by(session, key, receipt)
    return replace(session, receipts=receipts, writers=writers)
