"""Idempotency keys: opaque ones, and those that count.

A key stands for one request of one session, whatever transport brings it. `WRITER:N` is numbered:
its client counts N up from 1, and a session that keeps the highest number of a writer knows for
good what was applied, as the idempotent producers of message logs do.
"""

import re
from hashlib import blake2b
from struct import pack

from service.errors import InvalidInput, Part, Place
from service.records import record

MAX_KEY_BYTES = 255
MAX_NUMBER = 2**63 - 1

_NUMBERED = re.compile(rb"([A-Za-z0-9._~-]+):([0-9]+)")
_WRITER = re.compile(r"[A-Za-z0-9._~-]{1,128}")
_BINARY_ID = re.compile(rb"0|[1-9][0-9]{0,19}")


@record
class Key:
    """`digest` (16 bytes) is what a receipt is found by. A numbered key has its `writer`'s digest
    (8 bytes) and its `number` from 1; an opaque one has the number 0."""

    digest: bytes
    writer: bytes = b""
    number: int = 0
    earlier: bytes = b""
    """Of the text of a number: what releases before scheme 1 made of the same id in a binary
    frame."""

    @classmethod
    def of(cls, text: bytes) -> "Key":
        """Raises ValueError for a text that cannot be a key."""
        if not 1 <= len(text) <= MAX_KEY_BYTES:
            raise ValueError(f"expected 1 to {MAX_KEY_BYTES} bytes, such as a UUID")
        digest = _digest(text)
        numbered = _NUMBERED.fullmatch(text)
        if numbered is not None:
            number = int(numbered[2])
            # `W:07` would be the number of `W:7` and yet not find its receipt.
            if numbered[2].startswith(b"0") or number > MAX_NUMBER:
                raise ValueError(
                    f"a writer's numbers go from 1 to {MAX_NUMBER}, without zeros in front"
                )
            return cls(digest, writer_digest(numbered[1]), number)
        if _BINARY_ID.fullmatch(text) and int(text) < 2**64:
            return cls(digest, earlier=_digest(pack("<Q", int(text))))
        return cls(digest)

    def for_item(self, index: int) -> "Key":
        """The key of one item of a request with this key. A numbered one is every item's own: each
        of them belongs to another session."""
        if self.number:
            return self
        return Key(_digest(self.digest + index.to_bytes(4, "little")))


def read_key(text: bytes, place: Place, part: Part = "body") -> Key:
    """The key of a text. Raises InvalidInput."""
    try:
        return Key.of(text)
    except ValueError as error:
        raise InvalidInput.at(place, str(error), part) from None


def key_of_number(writer: str, number: int, place: Place) -> Key:
    """The key `WRITER:N`. Raises InvalidInput."""
    return read_key(b"%b:%d" % (writer.encode(), number), place)


def check_writer(writer: str) -> str:
    """Raises ValueError for a name that a numbered key cannot begin with."""
    if not _WRITER.fullmatch(writer):
        raise ValueError("expected 1 to 128 of A-Z a-z 0-9 . _ ~ -")
    return writer


def writer_digest(writer: bytes) -> bytes:
    """What a session keeps of a writer's name, 8 bytes."""
    return blake2b(writer, digest_size=8).digest()


def _digest(text: bytes) -> bytes:
    return blake2b(text, digest_size=16).digest()
