"""What requests with an idempotency key leave in their session.

A receipt is stored in the same write as the change that it stands for, so that either both are
there or neither. A retry finds it and is answered from it, instead of being applied again.

A session keeps the receipts of its latest `KEPT_RECEIPTS` keyed requests, and for good the one of
the request that made it. Their answers are kept up to `KEPT_ANSWER_BYTES` in all, the latest first.
An answer that is too large alone is computed again: its receipt keeps the state before the request
instead, until the next keyed request takes its place.

As bytes, newest first: key 16, request 8, version u32, step u64, revision u64, kind u8,
length u32, then `length` bytes; little endian.
"""

import struct
from collections.abc import Iterator
from enum import IntEnum
from hashlib import blake2b

from service.errors import KeyReused, StoreError
from service.records import record
from service.sessions.damage import damaged
from service.stores.store import Session

KEPT_RECEIPTS = 8
KEPT_ANSWER_BYTES = 4096

_HEAD = struct.Struct("<16s8sIQQBI")
_KIND = struct.Struct("<BI")
_KIND_OFFSET = _HEAD.size - _KIND.size


class Kind(IntEnum):
    """What a receipt holds of its answer."""

    FORGOTTEN = 0
    """Nothing any more: applied, but the answer is gone."""
    ANSWER = 1
    """The answer's numbers."""
    BEFORE = 2
    """The state before the request, float32 [S], from which the answer is computed again."""
    BIRTH = 3
    """Nothing: the session itself is the answer. Stays for as long as the session."""


_FORGOTTEN = _KIND.pack(Kind.FORGOTTEN, 0)


@record
class Key:
    """An idempotency key and the request that it came with, as digests of 16 and 8 bytes."""

    key: bytes
    request: bytes

    @classmethod
    def of(cls, key: bytes, operation: bytes, body: bytes) -> "Key":
        """`operation` names the route, so that a key is not taken for another route's."""
        request = blake2b(body, digest_size=8, person=operation)
        return cls(blake2b(key, digest_size=16).digest(), request.digest())


@record
class Receipt:
    """One applied request, and the session's version, step and revision after it."""

    key: Key
    version: int
    step: int
    revision: int
    kind: Kind
    content: bytes = b""


def recall(session: Session, key: Key) -> Receipt | None:
    """The receipt of an earlier try of the same request; None for the first try.

    Raises KeyReused where the key came with another request, StoreError for damaged receipts.
    """
    if key.key not in session.receipts:  # most keys are new, and this is one pass in C
        return None
    try:
        receipt = _find(session.receipts, key.key)
    except (struct.error, ValueError) as error:
        raise _damaged(session, error) from error
    if receipt is not None and receipt.key.request != key.request:
        raise KeyReused(
            "this Idempotency-Key came with another request before; "
            "nothing was applied, use a new key for each request"
        )
    return receipt


def remember(session: Session, receipt: Receipt) -> bytes:
    """A session's receipts with one more, shortened to what is kept.

    Raises StoreError for damaged receipts.
    """
    try:
        return _joined(session.receipts, receipt)
    except (struct.error, ValueError) as error:
        raise _damaged(session, error) from error


def _damaged(session: Session, error: Exception) -> StoreError:
    return damaged(session.session_id, f"its receipts cannot be read: {error}")


def _find(receipts: bytes, key: bytes) -> Receipt | None:
    """Raises ValueError, struct.error."""
    return next((one for one in _unpack(receipts) if one.key.key == key), None)


def _joined(receipts: bytes, receipt: Receipt) -> bytes:
    """Raises ValueError, struct.error."""
    kept = [_pack(receipt)]
    count, room = 1, KEPT_ANSWER_BYTES
    if receipt.kind is Kind.ANSWER:
        room -= len(receipt.content)
    begin = copied = 0
    while begin < len(receipts):
        kind, length = _KIND.unpack_from(receipts, begin + _KIND_OFFSET)
        end = begin + _HEAD.size + length
        _check(kind, end, receipts)
        count += kind != Kind.BIRTH
        if kind == Kind.ANSWER:
            room -= length
        if count > KEPT_RECEIPTS and kind != Kind.BIRTH:
            kept.append(receipts[copied:begin])
            copied = end
        elif length and (room < 0 or kind == Kind.BEFORE):
            kept += receipts[copied : begin + _KIND_OFFSET], _FORGOTTEN
            copied = end
        begin = end
    kept.append(receipts[copied:])
    return b"".join(kept)


def _unpack(receipts: bytes) -> Iterator[Receipt]:
    place = 0
    while place < len(receipts):
        key, request, version, step, revision, kind, length = _HEAD.unpack_from(receipts, place)
        place += _HEAD.size + length
        _check(kind, place, receipts)
        content = receipts[place - length : place]
        yield Receipt(Key(key, request), version, step, revision, Kind(kind), content)


def _check(kind: int, end: int, receipts: bytes) -> None:
    if kind > Kind.BIRTH:
        raise ValueError(f"a receipt is of kind {kind}")
    if end > len(receipts):
        raise ValueError(f"a receipt ends at byte {end} of {len(receipts)}")


def _pack(receipt: Receipt) -> bytes:
    key, content = receipt.key, receipt.content
    numbers = (receipt.version, receipt.step, receipt.revision, receipt.kind, len(content))
    return _HEAD.pack(key.key, key.request, *numbers) + content
