"""Binary frames of requests: one block or several, each with steps of many sessions.

A block holds N records of the same shape, its fields as arrays, so that reading a block costs the
same for one session as for hundreds. Byte for byte in docs/streaming.md.
"""

from dataclasses import dataclass, field
from math import isfinite
from struct import Struct, pack, unpack_from
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.bundle.manifest import InputSignature, Manifest, Tokens
from service.edges.v1.answers import check_size
from service.edges.v1.gates import GateSelection
from service.errors import Fault, InvalidInput, MalformedBody
from service.sessions.conditions import UNCONDITIONAL, Conditions
from service.sessions.receipts import Key

HEADER = Struct("<BBHIIIII")
"""kind, flags, 0, length in bytes, N, T, width, 0."""

STEPS = 1
ALL_GATES = GateSelection()


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
    """N records: `inputs` [N, T, F] float32 or [N, T] int64, the others [N]."""

    inputs: NDArray[Any]
    handles: tuple[int, ...]
    ids: tuple[int, ...]
    ats: tuple[int, ...] | None
    gates: bool
    keyed: bool
    max_numbers: int
    _checked: tuple[int, bool] | None = field(default=None)
    """For which bound of tokens all inputs were looked at, and whether they are right."""

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def steps(self) -> int:
        return int(self.inputs.shape[1])

    def conditions(self, index: int) -> Conditions:
        at = None if self.ats is None else self.ats[index]
        if not self.keyed:
            return UNCONDITIONAL if at is None else Conditions(at=at)
        return Conditions(key=self._key(index, at), at=at)

    def decode(self, index: int, manifest: Manifest) -> NDArray[Any]:
        """The inputs of one record, [T, F] or [T]. Raises InvalidInput."""
        self._check_kind(manifest.input)
        gates = ALL_GATES if self.gates else None
        check_size(self.steps, manifest, gates, self.max_numbers)
        inputs: NDArray[Any] = self.inputs[index]
        if not self._all_usable(manifest.input):
            _check_numbers(inputs, manifest.input)
        return inputs

    def _key(self, index: int, at: int | None) -> Key:
        """Of what is to be done: a handle means another session on another socket."""
        head = pack("<BBQII", self.gates, at is not None, at or 0, *self._shape)
        return Key.of(pack("<Q", self.ids[index]), b"steps", head + self.inputs[index].tobytes())

    @property
    def _shape(self) -> tuple[int, int]:
        return self.steps, self.inputs[0].nbytes // self.steps

    def _check_kind(self, signature: InputSignature) -> None:
        tokens = self.inputs.ndim == 2
        if isinstance(signature, Tokens):
            if not tokens:
                raise InvalidInput.at(("inputs",), "this model takes tokens, int64 (flag 8)")
        elif tokens:
            raise InvalidInput.at(("inputs",), "this model takes numbers, float32, not tokens")
        elif self.inputs.shape[2] != signature.width:
            raise InvalidInput.at(
                ("inputs", 0),
                f"expected {signature.width} numbers ({', '.join(signature.names)}), "
                f"found {self.inputs.shape[2]}",
            )

    def _all_usable(self, signature: InputSignature) -> bool:
        """One look at the whole block: a look at each record would cost more than its step."""
        size = signature.size if isinstance(signature, Tokens) else 0
        if self._checked is None or self._checked[0] != size:
            self._checked = size, _all_right(self.inputs, signature)
        return self._checked[1]


def read_frame(frame: bytes, max_numbers: int) -> list[Block]:
    """All blocks of a frame. Raises MalformedBody, and then nothing of it is applied."""
    blocks, place = [], 0
    while place < len(frame):
        block, place = _read_block(frame, place, max_numbers)
        blocks.append(block)
    if not blocks:
        raise _malformed(0, "the frame is empty")
    return blocks


def _read_block(frame: bytes, begin: int, max_numbers: int) -> tuple[Block, int]:
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
    shape = (count, steps) if tokens else (count, steps, width)
    block = Block(
        inputs=np.ndarray(shape, _INT64 if tokens else _FLOAT32, frame, place + 8 * count + ats),
        handles=unpack_from(f"<{count}I", frame, place + 8 * count + ats + inputs),
        ids=unpack_from(f"<{count}Q", frame, place),
        ats=unpack_from(f"<{count}Q", frame, place + 8 * count) if ats else None,
        gates=flags & GATES != 0,
        keyed=flags & _KEYS != 0,
        max_numbers=max_numbers,
    )
    return block, begin + size


def padded(size: int) -> int:
    """Up to a multiple of 8, so that arrays of the next block are aligned."""
    return -(-size // 8) * 8


def _all_right(inputs: NDArray[Any], signature: InputSignature) -> bool:
    # Finite where all numbers are, but for very large ones; a tenth of the time of a real look.
    if inputs.dtype == np.float32 and isfinite(np.vdot(inputs, inputs)):
        return True
    return not _wrong(inputs, signature).any()


def _wrong(inputs: NDArray[Any], signature: InputSignature) -> NDArray[np.bool_]:
    if isinstance(signature, Tokens):
        return (inputs < 0) | (inputs >= signature.size)
    finite: NDArray[np.bool_] = np.isfinite(inputs)
    return ~finite


def _check_numbers(inputs: NDArray[Any], signature: InputSignature) -> None:
    wrong = np.argwhere(_wrong(inputs, signature))
    if len(wrong):
        if isinstance(signature, Tokens):
            expected = f"expected a token from 0 to {signature.size - 1}"
        else:
            expected = "expected a finite number"
        raise InvalidInput(Fault(("inputs", *place), expected) for place in wrong.tolist())


def _malformed(place: int, message: str) -> MalformedBody:
    return MalformedBody([Fault((place,), message, "byte")])
