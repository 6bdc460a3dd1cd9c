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
    96  state           float32, little-endian; the last output behind it, where one is kept
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
from collections.abc import Iterable
from itertools import accumulate, pairwise

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
    parts = (
        session.state.astype(_STATE_DTYPE, copy=False).tobytes(),
        place_in_order(session) if place is None else place,
        session.metadata,
        session.receipts,
        session.writers,
        session.constants,
    )
    fixed = _FIXED.pack(
        FORMAT,
        session.revision,
        session.expires_at,
        *map(len, parts),
        session.finished,
        session.version,
        session.step,
        session.changes,
        -1 if session.fell_back_from is None else session.fell_back_from,
        session.created_at,
        session.ttl_seconds,
    )
    return b"".join((fixed, *parts))


def encode_old(session: Session, place: bytes) -> bytes:
    """The record in format 1, which has no `changes`.

    The session has neither a tenant nor constants nor a step that it fell back from, and is not
    finished: there is no room for them.
    """
    state = session.state.astype(_STATE_DTYPE, copy=False).tobytes()
    parts = (state, place, session.metadata, with_writers(session.receipts, session.writers))
    first = (OLD_FORMAT, session.revision, session.expires_at, *map(len, parts))
    last = (session.version, session.step, session.created_at, session.ttl_seconds)
    return b"".join((_OLD_FIXED.pack(*first, *last), *parts))


def is_of(record_format: int, record: bytes) -> bool:
    """Whether a record has this format."""
    return record[:1] == _FORMAT_BYTES[record_format]


def decode(record: bytes) -> Session:
    """The session in a record of either format; its state is read-only.

    Raises ValueError for a record of another format, and for one that is not whole.
    """
    old = is_of(OLD_FORMAT, record)
    if not old and not is_of(FORMAT, record):
        raise ValueError(
            f"its record has format {record[0] if record else 'none'}, this release reads formats "
            "1 and 2; a newer release wrote it, or another application"
        )
    fixed = _OLD_FIXED if old else _FIXED
    try:
        _, revision, expires_at, *others = fixed.unpack_from(record)
    except struct.error as error:
        raise ValueError(f"its record is cut off: {error}") from error
    if old:
        *lengths, version, step, created_at, ttl_seconds = others
        finished, changes, fell_back_from = 0, 0, -1
        state, place, metadata, receipts = _parts(record, fixed.size, lengths)
        (receipts, writers), constants = without_writers(receipts), b""
    else:
        lengths, others = others[:6], others[6:]
        finished, version, step, changes, fell_back_from, created_at, ttl_seconds = others
        state, place, metadata, receipts, writers, constants = _parts(record, fixed.size, lengths)
    tenant, model, session_id = parts_of(place)
    return Session(
        session_id=session_id,
        model=model,
        version=version,
        step=step,
        changes=changes,
        revision=revision,
        state=np.frombuffer(state, _STATE_DTYPE),
        created_at=created_at,
        expires_at=expires_at,
        ttl_seconds=ttl_seconds,
        metadata=metadata,
        receipts=receipts,
        writers=writers,
        constants=constants,
        tenant=tenant,
        fell_back_from=None if fell_back_from < 0 else fell_back_from,
        finished=finished != 0,
    )


def model_in(record: bytes) -> str:
    """The model in a record that cannot be decoded; "" where not even that can be read."""
    try:
        state_bytes, place_bytes = _LENGTHS.unpack_from(record, _LENGTHS_AT)
        place_at = FIXED_BYTES[record[0]] + state_bytes
        return parts_of(record[place_at : place_at + place_bytes]).model
    except (struct.error, KeyError, ValueError):
        return ""


def _parts(record: bytes, begin: int, lengths: Iterable[int]) -> list[bytes]:
    """What stands behind the fixed part, the state first. Raises ValueError."""
    ends = list(accumulate(lengths, initial=begin))
    if ends[-1] != len(record):
        raise ValueError(f"its record has {len(record)} bytes where {ends[-1]} are announced")
    parts = [record[start:end] for start, end in pairwise(ends)]
    if len(parts[0]) % _STATE_DTYPE.itemsize:
        raise ValueError(f"its record announces a state of {len(parts[0])} bytes")
    return parts
