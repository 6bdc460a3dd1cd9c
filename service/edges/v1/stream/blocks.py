"""Binary frames of requests: one block or several, each with steps of many sessions.

A block holds N records of the same shape, its fields as arrays, so that reading a block costs the
same for one session as for hundreds. Byte for byte in docs/streaming.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from struct import Struct, unpack_from
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.errors import MalformedBody
from service.operations.conditions import UNCONDITIONAL, Conditions
from service.operations.keys import Key, key_of_number

HEADER = Struct("<BBHIIIII")
"""kind, flags, 0, length in bytes, N, T, width, 0."""

STEPS = 1


GATES = 1
"""A flag of requests and of answers."""
_AT = 2
_KEYS = 4
_TOKENS = 8
_KNOWN = GATES | _AT | _KEYS | _TOKENS

_FLOAT32 = np.dtype("<f4")
_INT64 = np.dtype("<i8")


@dataclass(slots=True, eq=False)
class Block:
    """N records: `tensors` [N, T, F] float32 or [N, T] int64, the others [N]."""

    tensors: NDArray[Any]
    ids: tuple[int, ...]
    handles: tuple[int, ...]
    ats: tuple[int, ...] | None
    gates: bool
    keyed: bool

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def steps(self) -> int:
        return int(self.tensors.shape[1])

    def only(self, rows: Sequence[int]) -> "Block":
        """Some of its records."""
        return replace(
            self,
            tensors=self.tensors[list(rows)],
            ids=tuple(self.ids[row] for row in rows),
            handles=tuple(self.handles[row] for row in rows),
            ats=self.ats and tuple(self.ats[row] for row in rows),
        )

    def is_like(self, other: "Block") -> bool:
        """Whether records of both can be in one block."""
        return (
            self.tensors.shape[1:] == other.tensors.shape[1:]
            and self.tensors.dtype == other.tensors.dtype
            and (self.gates, self.keyed, self.ats is None)
            == (other.gates, other.keyed, other.ats is None)
        )

    @classmethod
    def joined(cls, blocks: Sequence["Block"]) -> "Block":
        """All of several that are alike."""
        first = blocks[0]
        if len(blocks) == 1:
            return first
        return replace(
            first,
            tensors=np.concatenate([block.tensors for block in blocks]),
            ids=tuple(chain.from_iterable(block.ids for block in blocks)),
            handles=tuple(chain.from_iterable(block.handles for block in blocks)),
            ats=first.ats and tuple(chain.from_iterable(block.ats or () for block in blocks)),
        )

    def conditions(self, row: int, writer: str | None) -> Conditions:
        """Raises InvalidInput."""
        at = None if self.ats is None else self.ats[row]
        if writer is not None:
            return Conditions(key_of_number(writer, self.ids[row], ("id",)), at)
        if self.keyed:
            return Conditions(Key.of(b"%d" % self.ids[row]), at)
        return UNCONDITIONAL if at is None else Conditions(at=at)


def read_frame(frame: bytes) -> list[Block]:
    """All blocks of a frame. Raises MalformedBody, and then nothing of it is applied."""
    blocks, place = [], 0
    while place < len(frame):
        block, place = _read_block(frame, place)
        blocks.append(block)
    if not blocks:
        raise _malformed(0, "the frame is empty")
    return blocks


def _read_block(frame: bytes, begin: int) -> tuple[Block, int]:
    if len(frame) - begin < HEADER.size:
        raise _malformed(begin, f"{len(frame) - begin} bytes are left, a header takes 24")
    kind, flags, zero, length, count, steps, width, zeros = HEADER.unpack_from(frame, begin)
    if kind != STEPS or flags & ~_KNOWN or zero or zeros:
        raise _malformed(begin, "expected a block of steps (kind 1) with known flags")
    if not (count and steps and width):
        raise _malformed(begin, "N, T and the width must be at least 1")
    tokens = flags & _TOKENS != 0
    if tokens and width != 1:
        raise _malformed(begin, f"tokens have the width 1, not {width}")
    ats = 8 * count if flags & _AT else 0
    inputs = count * steps * width * (8 if tokens else 4)
    size = padded(HEADER.size + 8 * count + ats + inputs + 4 * count)
    if length != size or size > len(frame) - begin:
        raise _malformed(
            begin,
            f"a block with these N, T, width and flags takes {size} bytes; its length says "
            f"{length}, and {len(frame) - begin} bytes are there",
        )
    place = begin + HEADER.size
    inputs_at = place + 8 * count + ats
    shape = (count, steps) if tokens else (count, steps, width)
    block = Block(
        tensors=np.ndarray(shape, _INT64 if tokens else _FLOAT32, frame, inputs_at),
        handles=unpack_from(f"<{count}I", frame, place + 8 * count + ats + inputs),
        ids=unpack_from(f"<{count}Q", frame, place),
        ats=unpack_from(f"<{count}Q", frame, place + 8 * count) if ats else None,
        gates=flags & GATES != 0,
        keyed=flags & _KEYS != 0,
    )
    return block, begin + size


def padded(size: int) -> int:
    """Up to a multiple of 8, so that arrays of the next block are aligned."""
    return -(-size // 8) * 8


def _malformed(place: int, message: str) -> MalformedBody:
    return MalformedBody.at((place,), message, "byte")
