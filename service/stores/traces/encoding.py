"""Traces and pieces as bytes.

A piece, big-endian up to the inputs:

    0   format    1 byte    which layout this is: 1
    1   kind      1 byte    f: float32, i: int64
    2   stateful  1 byte    1 where a state is kept
    3   (zeros)   1 byte
    4   state     uint32    numbers of the state
    8   n, F      2 × uint32; F is 0 for inputs [n]
    16  step, version, changes, before, after    5 × int64
    56  (zeros)   8 bytes
    64  state     float32, little-endian
        inputs    float32 or int64, little-endian
"""

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from orjson import dumps, loads

from service.errors import StoreError
from service.stores.traces.traces import PIECE_BYTES, Piece, Trace

FORMAT = 1
STATEFUL_AT = 2
CHANGES_AT = 32
"""Where a script finds out, counted from 0; 8 bytes."""

_HEAD = struct.Struct(">Bc?x3I5q8x")
_STATE = np.dtype("<f4")
_KINDS: dict[bytes, np.dtype[Any]] = {b"f": np.dtype("<f4"), b"i": np.dtype("<i8")}
_KIND_OF = {"f": b"f", "i": b"i"}

assert _HEAD.size == PIECE_BYTES


def encode_piece(piece: Piece) -> bytes:
    """As many bytes as `piece.size`."""
    inputs, state = piece.inputs, piece.state
    kind = _KIND_OF[inputs.dtype.kind]
    features = inputs.shape[1] if inputs.ndim > 1 else 0
    numbers = 0 if state is None else len(state)
    head = _HEAD.pack(
        *(FORMAT, kind, state is not None, numbers, len(inputs), features),
        *(piece.step, piece.version, piece.changes, piece.before, piece.after),
    )
    kept = b"" if state is None else state.astype(_STATE, copy=False).tobytes()
    return b"".join((head, kept, inputs.astype(_KINDS[kind], copy=False).tobytes()))


def decode_piece(content: bytes) -> Piece:
    """The reverse; its arrays are read-only. Raises StoreError for bytes that are no piece."""
    try:
        piece = _decoded(content)
    except (struct.error, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"a piece of a trace cannot be read: {error}; delete the trace and record another one"
        ) from error
    return piece


def _decoded(content: bytes) -> Piece:
    form, kind, stateful, numbers, n, features, *rest = _HEAD.unpack_from(content)
    step, version, changes, before, after = rest
    if form != FORMAT:
        raise ValueError(f"it has format {form}, this release reads format {FORMAT}")
    dtype = _KINDS[kind]
    begin = _HEAD.size + 4 * numbers
    end = begin + dtype.itemsize * n * (features or 1)
    if end != len(content):
        raise ValueError(f"it has {len(content)} bytes where {end} are announced")
    state = np.frombuffer(content[_HEAD.size : begin], _STATE) if stateful else None
    inputs: NDArray[Any] = np.frombuffer(content[begin:], dtype)
    inputs = inputs.reshape(n, features) if features else inputs
    return Piece(step, version, changes, before, after, inputs, state)


def encode_trace(trace: Trace) -> bytes:
    """All but `about`, which stands for itself, as a JSON list in the order of the fields."""
    fields = [getattr(trace, name) for name in _FIELDS]
    return dumps(fields)


def decode_trace(content: bytes, about: bytes) -> Trace:
    """The reverse. Raises StoreError for bytes that are no trace."""
    try:
        fields = dict(zip(_FIELDS, loads(content), strict=True))
        wrong = [name for name, kinds in _FIELDS.items() if not isinstance(fields[name], kinds)]
    except (ValueError, TypeError) as error:
        raise StoreError(f"what is kept of a trace cannot be read: {error}") from error
    if wrong:
        raise StoreError(f"what is kept of a trace cannot be read: wrong {', '.join(wrong)}")
    return Trace(**fields, about=about)


_FIELDS: dict[str, tuple[type, ...]] = {
    "tenant": (str,),
    "trace_id": (str,),
    "session_id": (str, type(None)),
    "model": (str,),
    "version": (int,),
    "created_at": (float, int),
    "expires_at": (float, int),
    "max_bytes": (int,),
}
