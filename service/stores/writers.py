"""Writers of sessions that releases read which know only receipts.

A session keeps the number of the latest request of each of its writers, 16 bytes each, newest
first: 8 bytes of a digest of the writer's name and the number as uint64, little-endian.

Records of format 1 have no room for them, and replicas of older releases that write such records
beside this one would lose them. But those copy the receipt of a session's birth (kind 3, length 0)
as it is, for as long as the session lives. So in format 1 every writer is such a receipt, behind
all others: its key is the writer's digest and eight bytes that no other key ends with, its step is
the number. Older releases look for receipts by whole keys, which are digests, and find none of
these.
"""

from struct import Struct

_RECEIPT = Struct("<16s8sIQQBI")
"""Key, request, version, step, revision, kind, length; then `length` bytes."""

_WRITER = Struct("<8sQ")
_BIRTH = 3
_MARK = bytes.fromhex("9ce71b0d5af3a264")
"""Drawn at random, once."""


def with_writers(receipts: bytes, writers: bytes) -> bytes:
    """The receipts with one more for every writer."""
    made = (
        _RECEIPT.pack(writer + _MARK, bytes(8), 0, number, 0, _BIRTH, 0)
        for writer, number in _WRITER.iter_unpack(writers)
    )
    return receipts + b"".join(made)


def without_writers(receipts: bytes) -> tuple[bytes, bytes]:
    """The receipts alone, and the writers that were among them.

    Raises ValueError where there are writers among what are no whole receipts.
    """
    if _MARK not in receipts:
        return receipts, b""
    others, writers = [], []
    place = 0
    while place < len(receipts):
        if place + _RECEIPT.size > len(receipts):
            raise ValueError("a receipt is cut off")
        key, _, _, number, _, kind, length = _RECEIPT.unpack_from(receipts, place)
        end = place + _RECEIPT.size + length
        if kind == _BIRTH and key.endswith(_MARK):
            writers.append(_WRITER.pack(key[:8], number))
        else:
            others.append(receipts[place:end])
        place = end
    if place != len(receipts):
        raise ValueError("a receipt is cut off")
    return b"".join(others), b"".join(writers)
