"""A session's place in the order of listing, as bytes that sort the same way.

Model and id are joined by a zero byte. A zero inside a model's name is followed by 0xFF, which
UTF-8 never contains, so that every place belongs to one model and id, and "a" sorts in front of
"a-b" whatever their ids are.
"""

from service.stores.store import Position

_END = b"\x00"
_INSIDE = b"\x00\xff"


def place_of(position: Position) -> bytes:
    """Sorts among other places, byte by byte, as the position does among other positions."""
    model, session_id = position
    return model_prefix(model) + session_id.encode()


def model_prefix(model: str) -> bytes:
    """What the places of this model's sessions, and of no others, begin with.

    Except that those of a model whose name goes on with a zero follow it by 0xFF.
    """
    return model.encode().replace(_END, _INSIDE) + _END


def position_of(place: bytes) -> Position:
    """The model and the id of a place. Raises ValueError for bytes that are none."""
    if _INSIDE in place:
        *names, last = place.split(_INSIDE)
        end, session_id = last.split(_END, 1)
        model = _END.join((*names, end))
    else:
        model, session_id = place.split(_END, 1)
    return model.decode(), session_id.decode()
