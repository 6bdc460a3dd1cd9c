"""Walks over the indexes of all partitions: listing, and removing what has expired."""

import struct
from collections.abc import Callable, Sequence

from service.stores.place import model_prefix, place_of, position_of
from service.stores.redis.exchange import Exchange
from service.stores.redis.partitions import EXPIRIES, LISTINGS, PARTITIONS, home_of
from service.stores.redis.scripts import PURGE, Command
from service.stores.store import Found, Position, Session

_LEAST_SHARE = 16


def page_of(
    exchange: Exchange,
    read: Callable[[Sequence[str]], list[Found]],
    *,
    model: str | None,
    after: Position,
    limit: int,
) -> list[Session]:
    """Up to `limit` sessions behind a position, in order. Raises StoreError."""
    found: list[Session] = []
    start, end = _bounds(model, after)
    while len(found) < limit:
        places, complete = _places(exchange, start, end, limit - len(found))
        found += _listed(read, places)
        if complete:
            break
        start = b"(" + places[-1]
    return found


def purge(exchange: Exchange, expired_before: float, limit: int) -> int:
    """Remove up to `limit` places of sessions that expired before; returns how many."""
    removed = 0
    bound = b"(" + repr(float(expired_before)).encode()
    while removed < limit:
        share = _share(limit - removed)
        window = (b"-inf", bound, b"LIMIT", b"0", str(share).encode())
        expired = exchange.ask(
            [Command(p, (b"ZRANGEBYSCORE", EXPIRIES[p], *window)) for p in range(PARTITIONS)]
        )
        places = [place for part in expired for place in part][: limit - removed]
        done = _remove(exchange, places, expired_before)
        removed += done
        if not done or all(len(part) < share for part in expired):
            break
    return removed


def _share(wanted: int) -> int:
    """How much to ask of each partition, so that mostly all together are enough."""
    return min(wanted, max(_LEAST_SHARE, 2 * wanted // PARTITIONS))


def _bounds(model: str | None, after: Position) -> tuple[bytes, bytes]:
    """The ends of the places behind a position, as ZRANGEBYLEX takes them."""
    behind = place_of(after)
    if model is None:
        return b"(" + behind, b"+"
    first = model_prefix(model)
    # No id begins with 0xFF, so this is where the model's places end.
    return (b"(" + behind if behind >= first else b"[" + first), b"(" + first + b"\xff"


def _places(exchange: Exchange, start: bytes, end: bytes, wanted: int) -> tuple[list[bytes], bool]:
    """Up to `wanted` places in order over all partitions, and whether these are all there are."""
    share = _share(wanted)
    window = (start, end, b"LIMIT", b"0", str(share).encode())
    parts = exchange.ask(
        [Command(p, (b"ZRANGEBYLEX", LISTINGS[p], *window)) for p in range(PARTITIONS)]
    )
    # Behind the last of a part that was cut short, that part could have had more to say.
    horizon = min((part[-1] for part in parts if len(part) == share), default=None)
    places = sorted(
        place for part in parts for place in part if horizon is None or place <= horizon
    )
    return places[:wanted], horizon is None and len(places) <= wanted


def _listed(read: Callable[[Sequence[str]], list[Found]], places: Sequence[bytes]) -> list[Session]:
    """The sessions at these places; one that Redis forgot, or that moved to another, is not."""
    positions = [position_of(place) for place in places]
    sessions = []
    for position, found in zip(positions, read([one for _, one in positions]), strict=True):
        if isinstance(found, Exception):
            raise found
        if found is not None and found.model == position[0]:
            sessions.append(found)
    return sessions


def _remove(exchange: Exchange, places: Sequence[bytes], expired_before: float) -> int:
    homes = [home_of(position_of(place)[1]) for place in places]
    before = struct.pack(">d", expired_before)

    def removing(indexes: Sequence[int]) -> Command:
        keys: list[bytes] = []
        for index in indexes:
            partition, key = homes[index]
            keys += (key, LISTINGS[partition], EXPIRIES[partition])
        return PURGE.call(
            homes[indexes[0]].partition, keys, (before, *(places[index] for index in indexes))
        )

    outcomes = exchange.outcomes([home.partition for home in homes], removing, changes=True)
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome
    return sum(outcomes)
