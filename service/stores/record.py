"""A session as bytes, for stores that keep one value for a session.

The layout, big-endian, of a fixed length in front so that a script inside a database can compare
without decoding the rest:

    0   format          1 byte    which layout this is: 2
    1   revision        int64
    9   expires_at      float64
    17  lengths         6 × uint32: state, place, metadata, receipts, writers, constants
    41  finished        1 byte    0 or 1
    42  (zeros)         6 bytes   so that the state is aligned
    48  version         int64
    56  step            int64
    64  changes         int64
    72  fell_back_from  int64     -1 for none
    80  created_at      float64
    88  ttl_seconds     float64
    96  state           float32, little-endian
        place           tenant, model and id, see `place.py`
        metadata
        receipts
        writers
        constants

Format 1 is the same up to the fourth length, and then has

    33  (zeros)         7 bytes
    40  version, step, created_at, ttl_seconds
    72  state, place, metadata, receipts

with the writers among the receipts, see `writers.py`. It is written for as long as replicas of an
older release may read what this one writes.
"""

import struct

import numpy as np

from service.stores.place import parts_of, place_of
from service.stores.store import Session
from service.stores.writers import with_writers, without_writers

FORMAT = 2
OLD_FORMAT = 1
_FIXED = struct.Struct(">Bqd6IB6xqqqqdd")
_OLD_FIXED = struct.Struct(">Bqd4I7xqqdd")
FIXED_BYTES = {OLD_FORMAT: _OLD_FIXED.size, FORMAT: _FIXED.size}
"""By format, where the state begins."""

_FORMAT_BYTES = {one: bytes((one,)) for one in FIXED_BYTES}
_NUMBER = struct.Struct(">q")
_LENGTHS = struct.Struct(">2I")
_LENGTHS_AT = 17
_STATE_DTYPE = np.dtype("<f4")


def revision_bytes(revision: int) -> bytes:
    """What stands behind the format in every record with this revision, and in no others.

    Compared as bytes, since the numbers of a script may be exact to 2**53 only.
    """
    return _NUMBER.pack(revision)


def place_in_order(session: Session) -> bytes:
    """The place of a session, see `place.py`."""
    return place_of(session.tenant, session.model, session.session_id)


def encode(session: Session, place: bytes | None = None) -> bytes:
    """The record of a session; `place` is its own, where it is known already."""
    state = session.state.astype(_STATE_DTYPE, copy=False).tobytes()
    place = place_in_order(session) if place is None else place
    fixed = _FIXED.pack(
        FORMAT,
        session.revision,
        session.expires_at,
        len(state),
        len(place),
        len(session.metadata),
        len(session.receipts),
        len(session.writers),
        len(session.constants),
        session.finished,
        session.version,
        session.step,
        session.changes,
        -1 if session.fell_back_from is None else session.fell_back_from,
        session.created_at,
        session.ttl_seconds,
    )
    parts = (fixed, state, place, session.metadata, session.receipts)
    return b"".join((*parts, session.writers, session.constants))


def encode_old(session: Session, place: bytes) -> bytes:
    """The record in format 1, which has no `changes`.

    The session has neither a tenant nor constants nor a step that it fell back from, and is not
    finished: there is no room for them.
    """
    state = session.state.astype(_STATE_DTYPE, copy=False).tobytes()
    receipts = with_writers(session.receipts, session.writers)
    fixed = _OLD_FIXED.pack(
        OLD_FORMAT,
        session.revision,
        session.expires_at,
        len(state),
        len(place),
        len(session.metadata),
        len(receipts),
        session.version,
        session.step,
        session.created_at,
        session.ttl_seconds,
    )
    return b"".join((fixed, state, place, session.metadata, receipts))


def is_of(record_format: int, record: bytes) -> bool:
    """Whether a record has this format."""
    return record[:1] == _FORMAT_BYTES[record_format]


def decode(record: bytes) -> Session:
    """The session in a record of either format; its state is a read-only view.

    Raises ValueError for a record of another format, and for one that is not whole.
    """
    try:
        if is_of(FORMAT, record):
            return _decoded(record)
        if is_of(OLD_FORMAT, record):
            return _decoded_old(record)
    except struct.error as error:
        raise ValueError(f"its record is cut off: {error}") from error
    raise ValueError(
        f"its record has format {record[0] if record else 'none'}, this release reads formats 1 "
        "and 2; a newer release wrote it, or another application"
    )


def model_in(record: bytes) -> str:
    """The model in a record that cannot be decoded; "" where not even that can be read."""
    try:
        state_bytes, place_bytes = _LENGTHS.unpack_from(record, _LENGTHS_AT)
        place_at = FIXED_BYTES[record[0]] + state_bytes
        return parts_of(record[place_at : place_at + place_bytes]).model
    except (struct.error, KeyError, ValueError):
        return ""


def _decoded(record: bytes) -> Session:
    (
        _,
        revision,
        expires_at,
        state_bytes,
        place_bytes,
        metadata_bytes,
        receipts_bytes,
        writers_bytes,
        constants_bytes,
        finished,
        version,
        step,
        changes,
        fell_back_from,
        created_at,
        ttl_seconds,
    ) = _FIXED.unpack_from(record)
    place_at = _FIXED.size + state_bytes
    metadata_at = place_at + place_bytes
    receipts_at = metadata_at + metadata_bytes
    writers_at = receipts_at + receipts_bytes
    constants_at = writers_at + writers_bytes
    _check_whole(record, state_bytes, constants_at + constants_bytes)
    tenant, model, session_id = parts_of(record[place_at:metadata_at])
    return Session(
        session_id=session_id,
        model=model,
        version=version,
        step=step,
        changes=changes,
        revision=revision,
        state=np.frombuffer(record, _STATE_DTYPE, state_bytes // 4, _FIXED.size),
        created_at=created_at,
        expires_at=expires_at,
        ttl_seconds=ttl_seconds,
        metadata=record[metadata_at:receipts_at],
        receipts=record[receipts_at:writers_at],
        writers=record[writers_at:constants_at],
        constants=record[constants_at:],
        tenant=tenant,
        fell_back_from=None if fell_back_from < 0 else fell_back_from,
        finished=finished != 0,
    )


def _decoded_old(record: bytes) -> Session:
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
    ) = _OLD_FIXED.unpack_from(record)
    place_at = _OLD_FIXED.size + state_bytes
    metadata_at = place_at + place_bytes
    receipts_at = metadata_at + metadata_bytes
    _check_whole(record, state_bytes, receipts_at + receipts_bytes)
    tenant, model, session_id = parts_of(record[place_at:metadata_at])
    receipts, writers = without_writers(record[receipts_at:])
    return Session(
        session_id=session_id,
        model=model,
        version=version,
        step=step,
        changes=0,
        revision=revision,
        state=np.frombuffer(record, _STATE_DTYPE, state_bytes // 4, _OLD_FIXED.size),
        created_at=created_at,
        expires_at=expires_at,
        ttl_seconds=ttl_seconds,
        metadata=record[metadata_at:receipts_at],
        receipts=receipts,
        writers=writers,
        tenant=tenant,
    )


def _check_whole(record: bytes, state_bytes: int, announced: int) -> None:
    if announced != len(record):
        raise ValueError(f"its record has {len(record)} bytes where {announced} are announced")
    if state_bytes % _STATE_DTYPE.itemsize:
        raise ValueError(f"its record announces a state of {state_bytes} bytes")
