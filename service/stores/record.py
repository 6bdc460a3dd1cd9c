"""A session as bytes, for stores that keep one value for a session.

The layout, big-endian, of a fixed length in front so that a script inside a database can compare
without decoding the rest:

    0   format        1 byte    which layout this is
    1   revision      int64
    9   expires_at    float64
    17  lengths       4 × uint32: state, place, metadata, receipts
    33  (zeros)       7 bytes   so that the state is aligned
    40  version       int64
    48  step          int64
    56  created_at    float64
    64  ttl_seconds   float64
    72  state         float32, little-endian
        place         model and id, see `place.py`
        metadata
        receipts
"""

import struct

import numpy as np

from service.errors import StoreError
from service.stores.place import place_of, position_of
from service.stores.store import Session

FORMAT = 1
_FIXED = struct.Struct(">Bqd4I7xqqdd")
_STAMP = struct.Struct(">Bq")
_STATE_DTYPE = np.dtype("<f4")


def stamp(revision: int) -> bytes:
    """The first bytes of every record with this revision; equal exactly when the revisions are.

    Compared as bytes, since the numbers of a script may be exact to 2**53 only.
    """
    return _STAMP.pack(FORMAT, revision)


def encode(session: Session, place: bytes | None = None) -> bytes:
    """The record of a session; `place` is that of its model and id, where it is known already."""
    state = session.state.astype(_STATE_DTYPE, copy=False).tobytes()
    place = place_of((session.model, session.session_id)) if place is None else place
    fixed = _FIXED.pack(
        FORMAT,
        session.revision,
        session.expires_at,
        len(state),
        len(place),
        len(session.metadata),
        len(session.receipts),
        session.version,
        session.step,
        session.created_at,
        session.ttl_seconds,
    )
    return b"".join((fixed, state, place, session.metadata, session.receipts))


def decode(record: bytes) -> Session:
    """The session in a record; its state is a read-only view.

    Raises StoreError for a record of another format, and for one that is not whole.
    """
    if record[:1] != bytes((FORMAT,)):
        raise StoreError(
            f"a session's record has format {record[0] if record else 'none'}, this release reads "
            f"format {FORMAT}; a newer release wrote it, or another application"
        )
    try:
        return _decoded(record)
    except (struct.error, ValueError) as error:
        raise StoreError(f"a session's record is damaged: {error}") from error


def _decoded(record: bytes) -> Session:
    (
        _,
        revision,
        expires_at,
        state_bytes,
        place_bytes,
        metadata_bytes,
        receipts_bytes,
        version,
        step,
        created_at,
        ttl_seconds,
    ) = _FIXED.unpack_from(record)
    place_at = _FIXED.size + state_bytes
    metadata_at = place_at + place_bytes
    receipts_at = metadata_at + metadata_bytes
    if receipts_at + receipts_bytes != len(record):
        raise ValueError(f"{len(record)} bytes where {receipts_at + receipts_bytes} are announced")
    model, session_id = position_of(record[place_at:metadata_at])
    return Session(
        session_id=session_id,
        model=model,
        version=version,
        step=step,
        revision=revision,
        state=np.frombuffer(record, _STATE_DTYPE, state_bytes // 4, _FIXED.size),
        created_at=created_at,
        expires_at=expires_at,
        ttl_seconds=ttl_seconds,
        metadata=record[metadata_at:receipts_at],
        receipts=record[receipts_at:],
    )
