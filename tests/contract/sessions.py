"""Sessions as records, for tests of stores."""

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.stores.store import Found, Identity, Listed, Replaced, Session, Store

CREATED_AT = time.time() // 1 + 0.123456
"""The present: a store that forgets by itself would not even take a session of long ago."""

NO_STATE = np.empty(0, np.float32)


def session(session_id: str = "s", /, **fields: object) -> Session:
    """A session whose numbers all differ from each other, unless they are given.

    The same arguments make the same session, its revision included; another id or tenant makes
    another revision.
    """
    given: dict[str, Any] = fields
    name = f"{given.get('tenant', '')}\0{session_id}"
    made = Session(
        session_id=session_id,
        model="weather",
        version=3,
        step=7,
        changes=4,
        revision=_random(name.encode()),
        state=np.array([0.1, -0.2, 3e-41], np.float32),
        created_at=CREATED_AT,
        expires_at=CREATED_AT + 60.5,
        ttl_seconds=60.5,
    )
    return replace(made, **given)


def blobs() -> dict[str, bytes]:
    """Each of the four that a store keeps and does not read, with other bytes in it."""
    return {
        "metadata": b'{"site": "n\xc3\xb6rd"}',
        "receipts": b"\x00receipts\xff",
        "writers": b"\xfewriters\x00",
        "constants": np.array([1.5, -0.0], np.float32).tobytes(),
    }


def moved(before: Session, **fields: object) -> Session:
    """What a step makes of a session: another revision, another state."""
    changed: dict[str, Any] = {
        "revision": following(before.revision),
        "changes": before.changes + 1,
        "step": before.step + 1,
        "state": before.state + np.float32(1),
        **fields,
    }
    return replace(before, **changed)


def finished(before: Session, at: float | None = None) -> Session:
    """The tombstone of a session; it expires when it is deleted, by default at its birth."""
    return moved(
        before,
        step=before.step,
        state=NO_STATE,
        expires_at=before.created_at if at is None else at,
        metadata=b"{}",
        constants=b"",
        finished=True,
    )


def following(revision: int) -> int:
    """The revision that `moved` gives: as good as random, and the same every time."""
    return _random(revision.to_bytes(8, "big"))


def identities(*session_ids: str, tenant: str = "") -> list[Identity]:
    return [Identity(tenant, session_id) for session_id in session_ids]


def read(store: Store, session_id: str = "s", *, tenant: str = "") -> Found:
    """What a store has of one session."""
    (found,) = store.read([Identity(tenant, session_id)])
    return found


def found_in(store: Store, session_id: str = "s", *, tenant: str = "") -> Session:
    """A session that the store must have."""
    return whole(read(store, session_id, tenant=tenant))


def step(store: Store, before: Session, **fields: object) -> Session:
    """One step of a session, which must succeed; what is stored then."""
    after = moved(before, **fields)
    assert replaced(store, (before, after)) == [True]
    return after


def steps(store: Store, before: Sequence[Session], **fields: object) -> list[Session]:
    """One step of each session, in one group; all must succeed."""
    after = [moved(one, **fields) for one in before]
    assert replaced(store, *zip(before, after, strict=True)) == [True] * len(after)
    return after


def replaced(store: Store, *pairs: tuple[Session, Session]) -> list[Replaced]:
    """The outcomes of a group of pairs: the session as it is expected, and what replaces it."""
    return store.replace([after for _, after in pairs], [before.revision for before, _ in pairs])


def whole(found: Found | Listed) -> Session:
    assert isinstance(found, Session), found
    return found


def same(found: Found | Listed, expected: Session | None) -> bool:
    """Equal in every field but `row`, the state bit by bit."""
    if not isinstance(found, Session) or expected is None:
        return found is expected
    return _plain(found) == _plain(expected)


def _plain(one: Session) -> dict[str, object]:
    state: NDArray[np.float32] = one.state
    assert state.dtype == np.float32
    return {**asdict(one), "state": (state.shape, state.tobytes()), "row": None}


def _random(name: bytes) -> int:
    return int.from_bytes(blake2b(name, digest_size=8).digest(), "big") >> 1
