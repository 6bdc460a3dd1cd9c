"""Very many numbers in a body or in an answer, a piece at a time.

Reading or writing a hundred thousand rows of JSON in one call keeps the interpreter's lock for a
tenth of a second, whatever thread does it, and every other request waits. In pieces of about a
millisecond others come in between. What is not plainly numbers is left to the usual parser, which
also finds the words for what is wrong.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import orjson
from numpy.typing import NDArray

from service.edges.http.json import to_json

Taken = TypeVar("Taken")
Take = Callable[[bytes], tuple[bytes, Any] | None]
"""Takes the numbers out of a body; None where it cannot."""

_PIECE_BYTES = 16 * 1024
_OVERLAP_BYTES = 64
"""As many may lie between the two brackets at the end."""
_PIECE_NUMBERS = 8192
_NUMBERS = b"0123456789+-.eE,[] \n\r\tnul"
_BEGIN = re.compile(rb'\s*\{\s*"inputs"\s*:\s*\[')
_END_OF_ROWS = re.compile(rb"\]\s*\]")
_OPEN = re.compile(rb"\s*\[")
_AFTER = re.compile(rb"\s*([,\]])")
_COMMA = re.compile(rb"\s*,")


def take_inputs(raw: bytes) -> tuple[bytes, NDArray[Any]] | None:
    """A body that begins with `inputs` [T, F] or [T]: it with 0 in their place, and the numbers.

    None where it is anything else.
    """
    return _taken(raw, _array)


def take_sequences(raw: bytes) -> tuple[bytes, list[NDArray[Any]]] | None:
    """As `take_inputs` for `inputs` [[T, F], …B] or [[T], …B], where T may differ."""
    return _taken(raw, _arrays)


def long_json(answer: object) -> bytes:
    """As `to_json`, in pieces where there are large arrays; slower for a short one."""
    return b"".join(_written(answer))


def _taken(
    raw: bytes, read: Callable[[bytes, int], tuple[Taken, int]]
) -> tuple[bytes, Taken] | None:
    begun = _BEGIN.match(raw)
    if begun is None:
        return None
    try:
        numbers, end = read(raw, begun.end())
    except ValueError:
        return None
    rest = raw[end:]
    # Of two fields with one name JSON readers take the last, which may be written with escapes.
    if b"inputs" in rest or b"\\" in rest:
        return None
    return raw[: begun.end()] + b"0]" + rest, numbers


def _arrays(raw: bytes, place: int) -> tuple[list[NDArray[Any]], int]:
    """As `_array`, for a list of arrays."""
    arrays, closed = [], False
    while not closed:
        numbers, place = _array(raw, _matched(_OPEN, raw, place).end())
        arrays.append(numbers)
        after = _matched(_AFTER, raw, place)
        place, closed = after.end(), after[1] == b"]"
    return arrays, place


def _array(raw: bytes, begin: int) -> tuple[NDArray[Any], int]:
    """The array whose bracket opens before `begin`, and where it ends. Raises ValueError."""
    in_rows = _OPEN.match(raw, begin) is not None
    end = _end_of_rows(raw, begin) if in_rows else raw.index(b"]", begin)
    return np.concatenate(list(_pieces(raw, begin, end, in_rows=in_rows))), end + 1


def _end_of_rows(raw: bytes, begin: int) -> int:
    """Where the bracket is that closes a list of rows. Raises ValueError."""
    for place in range(begin, len(raw), _PIECE_BYTES):
        found = _END_OF_ROWS.search(raw, place, place + _PIECE_BYTES + _OVERLAP_BYTES)
        if found is not None:
            return found.end() - 1
    raise ValueError("the rows do not end")


def _pieces(raw: bytes, begin: int, end: int, *, in_rows: bool) -> Iterator[NDArray[Any]]:
    """The numbers between two places, some rows at a time. Raises ValueError."""
    kinds = set()
    while True:
        cut = end
        if end - begin > _PIECE_BYTES:
            mark = b"]" if in_rows else b","
            # Not found gives 0 or -1: then nothing is left of the piece, which is no number.
            cut = raw.rfind(mark, begin, begin + _PIECE_BYTES) + in_rows
            if end - cut <= _OVERLAP_BYTES and not raw[cut:end].strip():
                cut = end  # the last row fits; only spaces are left behind it
        numbers = _parsed(raw[begin:cut])
        if numbers.ndim != 1 + in_rows:
            raise ValueError("not the same all over")
        kinds.add(numbers.dtype.kind)
        yield numbers
        if cut == end:
            break
        begin = _matched(_COMMA, raw, cut).end()
    if not in_rows and kinds != {"i"}:
        raise ValueError("tokens are whole numbers")


def _matched(pattern: re.Pattern[bytes], raw: bytes, place: int) -> re.Match[bytes]:
    """Raises ValueError."""
    found = pattern.match(raw, place)
    if found is None:
        raise ValueError("neither numbers nor what stands between them")
    return found


def _parsed(piece: bytes) -> NDArray[Any]:
    """With NaN for null. Raises ValueError for what is not plainly numbers, and for none at all."""
    # Otherwise true would pass for 1 beside other numbers.
    if piece.translate(None, _NUMBERS):
        raise ValueError("not only numbers")
    found = orjson.loads(b"[" + piece + b"]")
    numbers = np.array(found, np.float64 if b"n" in piece else None)
    if numbers.dtype.kind not in "if" or not numbers.size:
        raise ValueError("not only numbers")
    return numbers


def _written(value: object) -> Iterator[bytes]:
    if isinstance(value, np.ndarray) and value.size > _PIECE_NUMBERS and value.ndim > 1:
        rows = max(1, _PIECE_NUMBERS * len(value) // value.size)
        for begin in range(0, len(value), rows):
            yield b"[" if begin == 0 else b","
            yield to_json(np.ascontiguousarray(value[begin : begin + rows]))[1:-1]
        yield b"]"
    elif isinstance(value, dict):
        for index, (key, item) in enumerate(value.items()):
            yield (b"{" if index == 0 else b",") + to_json(key) + b":"
            yield from _written(item)
        yield b"}" if value else b"{}"
    elif isinstance(value, list) and any(isinstance(item, dict | np.ndarray) for item in value):
        for index, item in enumerate(value):
            yield b"[" if index == 0 else b","
            yield from _written(item)
        yield b"]"
    else:
        yield to_json(value)
