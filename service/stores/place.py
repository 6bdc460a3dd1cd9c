"""A session's place in the order of listing, as bytes that sort the same way.

Model and id are joined by a zero byte. A zero inside a model's name is followed by 0xFF, which
UTF-8 never contains, so that every place belongs to one model and id, and "a" sorts in front of
"a-b" whatever their ids are. In front of them stands the tenant, if there is one: a byte 0xFE,
which UTF-8 never contains either, and the name, written as a model's is.
"""

from typing import NamedTuple

_END = b"\x00"
_INSIDE = b"\x00\xff"
_BEHIND = b"\xff"
_TENANT = b"\xfe"


class Place(NamedTuple):
    """Sorts as its bytes do."""

    tenant: str
    model: str
    session_id: str


def place_of(tenant: str, model: str, session_id: str) -> bytes:
    """Sorts among other places, byte by byte, as (tenant, model, id) does among others."""
    place = _ended(model) + session_id.encode()
    return _tenant_prefix(tenant) + place if tenant else place


def bounds_of(tenant: str, model: str | None) -> tuple[bytes, bytes]:
    """Between which bytes the places of a tenant lie, and no others: of one model or all.

    The first may itself be a place, the second is none.
    """
    first = _tenant_prefix(tenant) if tenant else b""
    if model is not None:
        first += _ended(model)
    elif not tenant:
        return first, _TENANT
    # What goes on with 0xFF belongs to a longer name.
    return first, first + _BEHIND


def parts_of(place: bytes) -> Place:
    """What a place is made of. Raises ValueError for bytes that are none."""
    tenant = ""
    if place.startswith(_TENANT):
        tenant, place = _split(place[1:])
        if not tenant:
            raise ValueError("a tenant's place without a tenant")
    model, rest = _split(place)
    return Place(tenant, model, rest.decode())


def _tenant_prefix(tenant: str) -> bytes:
    return _TENANT + _ended(tenant)


def _ended(name: str) -> bytes:
    return name.encode().replace(_END, _INSIDE) + _END


def _split(place: bytes) -> tuple[str, bytes]:
    """The name in front, and what follows it."""
    if _INSIDE not in place:
        name, rest = place.split(_END, 1)
        return name.decode(), rest
    end = place.index(_END)
    while place[end + 1 : end + 2] == _BEHIND:
        end = place.index(_END, end + 1)
    return place[:end].replace(_INSIDE, _END).decode(), place[end + 1 :]
