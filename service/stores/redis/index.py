"""Walks over the indexes of partitions: listing, removing what has expired, and finding places."""

import struct
from collections import Counter
from collections.abc import Callable, Sequence

from service.errors import SessionDamaged, StoreError
from service.stores.place import Place, bounds_of, parts_of, place_of
from service.stores.redis.exchange import Exchange
from service.stores.redis.partitions import EXPIRIES, LISTINGS, PARTITIONS, home_of
from service.stores.redis.scripts import PURGE, Command
from service.stores.store import Found, Identity, Listed, Position, Session

_LEAST_SHARE = 16
_WALKED_TOGETHER = b"1000"


def page_of(
    exchange: Exchange,
    read: Callable[[Sequence[Identity]], list[Found]],
    *,
    tenant: str,
    model: str | None,
    after: Position,
    limit: int,
) -> list[Listed]:
    """Up to `limit` sessions behind a position, in order. Raises StoreError."""
    found: list[Listed] = []
    start, end = _bounds(tenant, model, after)
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
    # What cannot be removed stays in front of its partition, and must not hide what can.
    kept: Counter[int] = Counter()
    while removed < limit:
        share = _share(limit - removed)
        expired = exchange.ask(
            [
                Command(
                    p, (b"ZRANGEBYSCORE", EXPIRIES[p], b"-inf", bound, *_window(kept[p], share))
                )
                for p in range(PARTITIONS)
            ]
        )
        all_places = [(p, place) for p, part in enumerate(expired) for place in part]
        places = all_places[: limit - removed]
        gone = Counter(_remove(exchange, places, expired_before))
        kept += Counter(partition for partition, _ in places) - gone
        removed += gone.total()
        if len(places) == len(all_places) and all(len(part) < share for part in expired):
            break
    return removed


def find(exchange: Exchange, identity: Identity) -> list[bytes]:
    """All places of a session, for want of a record that tells. Raises StoreError."""
    partition, _ = home_of(*identity)
    found: list[bytes] = []
    cursor = b"0"
    while True:
        words = (b"ZSCAN", LISTINGS[partition], cursor, b"COUNT", _WALKED_TOGETHER)
        ((cursor, members),) = exchange.ask([Command(partition, words)])
        for place in members[::2]:
            parts = _parts(place)
            if parts is not None and (parts.tenant, parts.session_id) == identity:
                found.append(place)
        if cursor == b"0":
            return found


def key_at(partition: int, place: bytes) -> bytes | None:
    """The key of the session at a place; None for a place that is none of this partition's."""
    parts = _parts(place)
    if parts is None:
        return None
    home = home_of(parts.tenant, parts.session_id)
    return home.key if home.partition == partition else None


def _window(offset: int, count: int) -> tuple[bytes, ...]:
    return (b"LIMIT", str(offset).encode(), str(count).encode())


def _share(wanted: int) -> int:
    """How much to ask of each partition, so that mostly all together are enough."""
    return min(wanted, max(_LEAST_SHARE, 2 * wanted // PARTITIONS))


def _bounds(tenant: str, model: str | None, after: Position) -> tuple[bytes, bytes]:
    """The ends of the places behind a position, as ZRANGEBYLEX takes them."""
    behind = place_of(tenant, *after)
    first, end = bounds_of(tenant, model)
    return (b"(" + behind if behind >= first else b"[" + first), b"(" + end


def _places(exchange: Exchange, start: bytes, end: bytes, wanted: int) -> tuple[list[bytes], bool]:
    """Up to `wanted` places in order over all partitions, and whether these are all there are."""
    share = _share(wanted)
    words = (start, end, *_window(0, share))
    parts = exchange.ask(
        [Command(p, (b"ZRANGEBYLEX", LISTINGS[p], *words)) for p in range(PARTITIONS)]
    )
    # Behind the last of a part that was cut short, that part could have had more to say.
    horizon = min((part[-1] for part in parts if len(part) == share), default=None)
    places = sorted(
        place for part in parts for place in part if horizon is None or place <= horizon
    )
    return places[:wanted], horizon is None and len(places) <= wanted


def _listed(
    read: Callable[[Sequence[Identity]], list[Found]], places: Sequence[bytes]
) -> list[Listed]:
    """The sessions at these places; one that has gone, or is at another place, is not."""
    parts = [one for one in map(_parts, places) if one is not None]
    listed: list[Listed] = []
    identities = [Identity(one.tenant, one.session_id) for one in parts]
    for place, found in zip(parts, read(identities), strict=True):
        if isinstance(found, SessionDamaged):
            found.model = place.model
            listed.append(found)
        elif isinstance(found, StoreError):
            raise found
        elif isinstance(found, Session) and found.model == place.model:
            listed.append(found)
    return listed


def _parts(place: bytes) -> Place | None:
    """What a place is made of; None where it is not one of ours, which then belongs to nobody."""
    try:
        return parts_of(place)
    except ValueError:
        return None


def _remove(
    exchange: Exchange, places: Sequence[tuple[int, bytes]], expired_before: float
) -> list[int]:
    """Of places with their partitions, remove those that may go; the partition of each of them."""
    ours = [(*one, key) for one in places if (key := key_at(*one)) is not None]

    def removing(group: Sequence[int]) -> Command:
        words: list[bytes] = []
        arguments = [struct.pack(">d", expired_before)]
        for partition, place, key in (ours[index] for index in group):
            words += (key, LISTINGS[partition], EXPIRIES[partition])
            arguments.append(place)
        return PURGE.call(ours[group[0]][0], words, arguments)

    partitions = [partition for partition, _, _ in ours]
    outcomes = exchange.outcomes(partitions, removing, changes=True)
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome
    return [partition for partition, done in zip(partitions, outcomes, strict=True) if done]
