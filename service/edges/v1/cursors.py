"""Cursors of lists: opaque to callers, a place in the order of the list to us."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

import orjson
from pydantic import TypeAdapter

from service.errors import InvalidInput
from service.stores.store import Position

_BEGINNING: Position = ("", "")
_POSITION: TypeAdapter[Position] = TypeAdapter(Position)


def write_cursor(position: Position) -> str:
    return urlsafe_b64encode(orjson.dumps(position)).decode().rstrip("=")


def read_cursor(cursor: str) -> Position:
    """The position behind which to go on; of an empty cursor, the beginning.

    Raises InvalidInput for what `write_cursor` has not written.
    """
    if not cursor:
        return _BEGINNING
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return _POSITION.validate_json(urlsafe_b64decode(padded))
    except ValueError:
        raise InvalidInput.at(
            ("cursor",), "not a cursor of this list; begin without one", "query"
        ) from None
