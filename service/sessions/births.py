"""How sessions begin: new, or from another one; once for each keyed request."""

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from service.bundle.manifest import Manifest
from service.errors import SessionExists, StoreError
from service.metrics.catalogue import REPLAYS
from service.sessions.capacity import Capacity
from service.sessions.changing import as_left
from service.sessions.conditions import alive
from service.sessions.damage import metadata_of
from service.sessions.receipts import Key, Kind, Receipt, recall, remember
from service.stores.store import Session, Store

_NAMESPACE = uuid.UUID("6f2d1c1e-5a0b-4f43-9d57-7d8f0f6b1d11")


@dataclass(frozen=True, slots=True)
class NewSession:
    """What a caller may say of a session to be made; None where it leaves the choice to us."""

    session_id: str | None = None
    ttl_seconds: float | None = None
    metadata: bytes | None = None


class Births:
    """Makes sessions and puts them into the store. Runs on the batcher's thread."""

    def __init__(
        self, store: Store, clock: Callable[[], float], capacity: Capacity, ttl_seconds: float
    ) -> None:
        self._store = store
        self._clock = clock
        self._capacity = capacity
        self._ttl_seconds = ttl_seconds

    def begin(
        self, session_id: str, new: NewSession, manifest: Manifest, state: NDArray[np.float32]
    ) -> Session:
        """A session of a model at step 0, from a state [S]; not stored yet."""
        now = self._clock()
        ttl = self._ttl_seconds if new.ttl_seconds is None else new.ttl_seconds
        return Session(
            session_id=session_id,
            model=manifest.name,
            version=manifest.version,
            step=0,
            revision=_first_revision(),
            state=state,
            created_at=now,
            expires_at=now + ttl,
            ttl_seconds=ttl,
            metadata=b"{}" if new.metadata is None else new.metadata,
        )

    def fork(self, session_id: str, new: NewSession, source: Session) -> Session:
        """A session that goes on from where `source` is; not stored yet.

        Raises StoreError where it would inherit damaged metadata.
        """
        if new.metadata is None:
            metadata_of(source)
        now = self._clock()
        ttl = source.ttl_seconds if new.ttl_seconds is None else new.ttl_seconds
        return replace(
            source,
            session_id=session_id,
            revision=_first_revision(),
            created_at=now,
            expires_at=now + ttl,
            ttl_seconds=ttl,
            metadata=source.metadata if new.metadata is None else new.metadata,
            receipts=b"",
        )

    def once(
        self, session_id: str, make: Callable[[], Session], key: Key | None
    ) -> tuple[Session, bool]:
        """Store what `make` gives, unless an earlier try of the same keyed request did so.

        Returns the session as it was made, and whether that was earlier. Raises SessionExists,
        TooManySessions, KeyReused, StoreError, and what `make` raises.
        """
        if key is not None and (born := self._born(session_id, key)) is not None:
            return born, True
        session = _with_birth(make(), key)
        self._capacity.check()
        try:
            # In the place of an expired one: a caller that chooses its ids may begin anew.
            self._store.create(session)
        except SessionExists:
            # Another replica may have been faster with another try of this very request.
            if key is None or (born := self._born(session_id, key)) is None:
                raise
            return born, True
        self._capacity.created()
        return session, False

    def _born(self, session_id: str, key: Key) -> Session | None:
        """The session as this keyed request made it; None where it did not."""
        found = self._store.read([session_id])[0]
        if isinstance(found, StoreError):
            raise found
        birth = None if found is None else recall(found, key)
        if birth is None or birth.kind is not Kind.BIRTH:
            return None
        REPLAYS.inc()
        session = as_left(alive(found, session_id, self._clock()), birth)
        return replace(session, expires_at=session.created_at + session.ttl_seconds)


def chosen_id(session_id: str | None, key: Key | None, scope: str) -> str:
    """The caller's choice; else the same one for every try of a key; else a random one.

    A retry must find the session that its first try made, on whatever replica.
    """
    if session_id is not None:
        return session_id
    if key is None:
        return uuid.uuid4().hex
    return uuid.uuid5(_NAMESPACE, f"{scope}/{key.key.hex()}").hex


def _first_revision() -> int:
    """Anywhere in a large range: a session made anew under an old id shares no revision with it."""
    return secrets.randbits(48)


def _with_birth(session: Session, key: Key | None) -> Session:
    if key is None:
        return session
    birth = Receipt(key, session.version, session.step, session.revision, Kind.BIRTH)
    return replace(session, receipts=remember(session, birth))
