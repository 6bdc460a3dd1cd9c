"""What requests with an idempotency key leave in their session.

A receipt is stored in the same write as the change that it stands for, so that either both are
there or neither. A retry finds it and is answered from it, instead of being applied again.

A session keeps the receipts of its latest `KEPT_RECEIPTS` keyed requests, and for good the one of
the request that made it. Their answers are kept up to `KEPT_ANSWER_BYTES` in all, the latest first.
An answer that is too large alone is computed again: its receipt keeps the state before the request
instead, until the next keyed request takes its place.

As bytes, newest first: key 16, request 8, version u32, step u64, revision u64, kind u8 (the scheme
of the request's digest in its upper half), length u32, then `length` bytes; little endian.

`writers` is what numbered keys leave: for the latest `KEPT_WRITERS` writers, newest first, the
writer's digest (8 bytes) and the highest of its numbers that was applied (u64).
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

from service.errors import KeyReused
from service.operations.keys import Key
from service.records import record
from service.sessions.damage import damaged
from service.stores.store import Session

KEPT_RECEIPTS = 8
KEPT_ANSWER_BYTES = 4096
KEPT_WRITERS = 32

SCHEME = 1
"""How the request's digest is made: of its meaning. In scheme 0 it was of a transport's bytes,
which cannot be compared with another's."""

_HEAD = struct.Struct("<16s8sIQQBI")
_KIND = struct.Struct("<BI")
_KIND_OFFSET = _HEAD.size - _KIND.size
_SCHEME_SHIFT = 4
_KIND_MASK = (1 << _SCHEME_SHIFT) - 1
_WRITER = struct.Struct("<8sQ")


class Kind(IntEnum):
    """What a receipt holds of its answer."""

    FORGOTTEN = 0
    """Nothing any more: applied, but the answer is gone."""
    ANSWER = 1
    """The answer's numbers."""
    BEFORE = 2
    """The state before the request, float32 [S], from which the answer is computed again."""
    CREATION = 3
    """Nothing: the session itself is the answer. Stays for as long as the session."""


@record
class Receipt:
    """One applied request, by its key and its meaning (8 bytes), and the session's version, step
    and revision after it."""

    key: bytes
    request: bytes
    version: int
    step: int
    revision: int
    kind: Kind
    content: bytes = b""
    scheme: int = SCHEME

    def check(self, request: bytes) -> None:
        """Raises KeyReused where the key comes with another request now."""
        if self.request != request:
            raise KeyReused(
                "this key came with another request before; "
                "nothing was applied, use a new key for each request"
            )


def recall(session: Session, key: Key) -> Receipt | None:
    """The receipt that an earlier request with the key left; None for the first one.

    Raises SessionDamaged.
    """
    receipts = session.receipts
    for wanted in (key.digest, key.earlier):
        # Most keys are new, and this is one pass in C.
        if not wanted or wanted not in receipts:
            continue
        with _readable(session, "receipts"):
            for receipt in _unpack(receipts):
                # Only releases of scheme 0 knew the earlier digest.
                if receipt.key == wanted and (wanted == key.digest or receipt.scheme == 0):
                    return receipt
    return None


def remember(session: Session, receipt: Receipt) -> bytes:
    """A session's receipts with one more, shortened to what is kept. Raises SessionDamaged."""
    with _readable(session, "receipts"):
        return _joined(session.receipts, receipt)


def left_by(session: Session, key: Key, receipt: Receipt) -> tuple[bytes, bytes]:
    """A session's receipts and writers after a keyed request. Raises SessionDamaged."""
    if not key.number:
        return remember(session, receipt), session.writers
    return remember(session, receipt), raise_number(session, key.writer, key.number)


def receipt_of_creation(session: Session) -> bytes:
    """A session's receipts without those of later requests. Raises SessionDamaged."""
    with _readable(session, "receipts"):
        kept = (one for one in _unpack(session.receipts) if one.kind is Kind.CREATION)
        return b"".join(map(_pack, kept))


def receipts_of(session: Session) -> list[Receipt]:
    """All that are kept, newest first. Raises SessionDamaged."""
    with _readable(session, "receipts"):
        return list(_unpack(session.receipts))


def writers_of(session: Session) -> list[tuple[bytes, int]]:
    """The digest of every writer that is known, and its highest number that was applied, newest
    first. Raises SessionDamaged."""
    with _readable(session, "writers"):
        return list(_WRITER.iter_unpack(session.writers))


def highest_number(session: Session, writer: bytes) -> int | None:
    """The highest number of a writer that was applied; None for a writer that is not known.

    Raises SessionDamaged.
    """
    if writer not in session.writers:
        return None
    with _readable(session, "writers"):
        return dict(_WRITER.iter_unpack(session.writers)).get(writer)


def may_have_forgotten_writers(session: Session) -> bool:
    """False where every writer that ever was is known."""
    return len(session.writers) >= KEPT_WRITERS * _WRITER.size


def raise_number(session: Session, writer: bytes, number: int) -> bytes:
    """A session's writers after one more number was applied, shortened to what is kept.

    Raises SessionDamaged.
    """
    with _readable(session, "writers"):
        others = [entry for entry in _WRITER.iter_unpack(session.writers) if entry[0] != writer]
    kept = [(writer, number), *others][:KEPT_WRITERS]
    return b"".join(_WRITER.pack(*entry) for entry in kept)


@contextmanager
def _readable(session: Session, what: str) -> Iterator[None]:
    try:
        yield
    except (struct.error, ValueError) as error:
        raise damaged(session, f"its {what} cannot be read: {error}") from error


def _joined(receipts: bytes, receipt: Receipt) -> bytes:
    """Raises ValueError, struct.error."""
    kept = [_pack(receipt)]
    count, room = 1, KEPT_ANSWER_BYTES
    if receipt.kind is Kind.ANSWER:
        room -= len(receipt.content)
    begin = copied = 0
    while begin < len(receipts):
        packed_kind, length = _KIND.unpack_from(receipts, begin + _KIND_OFFSET)
        kind = packed_kind & _KIND_MASK
        end = begin + _HEAD.size + length
        _check(kind, end, receipts)
        count += kind != Kind.CREATION
        if kind == Kind.ANSWER:
            room -= length
        if count > KEPT_RECEIPTS and kind != Kind.CREATION:
            kept.append(receipts[copied:begin])
            copied = end
        elif length and (room < 0 or kind == Kind.BEFORE):
            forgotten = _KIND.pack((packed_kind & ~_KIND_MASK) | Kind.FORGOTTEN, 0)
            kept += receipts[copied : begin + _KIND_OFFSET], forgotten
            copied = end
        begin = end
    kept.append(receipts[copied:])
    return b"".join(kept)


def _unpack(receipts: bytes) -> Iterator[Receipt]:
    place = 0
    while place < len(receipts):
        key, request, version, step, revision, packed, length = _HEAD.unpack_from(receipts, place)
        place += _HEAD.size + length
        scheme, kind = packed >> _SCHEME_SHIFT, packed & _KIND_MASK
        _check(kind, place, receipts)
        content = receipts[place - length : place]
        yield Receipt(key, request, version, step, revision, Kind(kind), content, scheme)


def _check(kind: int, end: int, receipts: bytes) -> None:
    if kind > Kind.CREATION:
        raise ValueError(f"a receipt is of kind {kind}")
    if end > len(receipts):
        raise ValueError(f"a receipt ends at byte {end} of {len(receipts)}")


def _pack(receipt: Receipt) -> bytes:
    kind = receipt.kind | receipt.scheme << _SCHEME_SHIFT
    numbers = (receipt.version, receipt.step, receipt.revision, kind, len(receipt.content))
    return _HEAD.pack(receipt.key, receipt.request, *numbers) + receipt.content
