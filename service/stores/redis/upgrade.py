"""From an older release's records to this one's, without a gap.

Releases before this one know records of format 1 and schema version 1 only. While the schema has
that version, replicas of such a release may be at work, and the stores of this one write what they
can read. When all have been replaced, an operator finishes the upgrade: the schema's version
becomes 2, which stores of this release notice, and every record is written anew in format 2. What
an older release finds then it neither reads nor writes over, and it cannot create.
"""

from collections.abc import Iterator, Sequence

from service.errors import StoreError
from service.stores.record import OLD_FORMAT, decode, encode, is_of, place_in_order, revision_bytes
from service.stores.redis.exchange import Exchange
from service.stores.redis.index import key_at
from service.stores.redis.partitions import EXPIRIES, LISTINGS, PARTITIONS, SCHEMA_VERSION, SCHEMAS
from service.stores.redis.schema import versions_of
from service.stores.redis.scripts import REPLACE, Command
from service.stores.store import Session

_WAY_OUT = (
    "replace all replicas of older releases, then run: python -m service store finish-upgrade"
)
_TOGETHER = 64
_MOST_TRIES = 20


class Mode:
    """What the stores of one process write; its threads share it."""

    def __init__(self, *, old: bool) -> None:
        self.old = old
        """For replicas of an older release. Turns False once, and never True again."""


def kept_back(session: Session) -> StoreError | None:
    """Why a session cannot be written for an older release; None where it can."""
    for present, what in (
        (session.tenant, "has a tenant"),
        (session.constants, "has constant inputs"),
        (session.fell_back_from is not None, "has fallen back in the store"),
    ):
        if present:
            return StoreError(
                f"session {session.session_id!r} {what}, which the older release that may share "
                f"this Redis cannot keep; {_WAY_OUT}"
            )
    return None


def is_finished(exchange: Exchange) -> bool:
    """Whether an operator has begun to finish the upgrade, as far as nodes answer."""
    asked = [Command(p, (b"GET", SCHEMAS[p])) for p in range(PARTITIONS)]
    return SCHEMA_VERSION in exchange.replies(asked, changes=False)


def finish(exchange: Exchange) -> int:
    """Upgrade the schema and all records; returns how many records were of the old format.

    Raises StoreError; what was done by then stays done, and the next try does the rest.
    """
    versions_of(exchange)
    marks = [Command(p, (b"SET", SCHEMAS[p], SCHEMA_VERSION)) for p in range(PARTITIONS)]
    exchange.ask(marks, changes=True)
    return sum(
        _rewritten(exchange, partition, places)
        for partition in range(PARTITIONS)
        for places in _listed(exchange, partition)
    )


def _listed(exchange: Exchange, partition: int) -> Iterator[list[bytes]]:
    """The places of a partition, some at a time."""
    start = b"-"
    window = (b"+", b"LIMIT", b"0", str(_TOGETHER).encode())
    while True:
        command = Command(partition, (b"ZRANGEBYLEX", LISTINGS[partition], start, *window))
        (places,) = exchange.ask([command])
        if not places:
            return
        yield places
        start = b"(" + places[-1]


def _rewritten(exchange: Exchange, partition: int, places: Sequence[bytes]) -> int:
    """How many of these were of the old format; none is any more."""
    keys = [key for place in places if (key := key_at(partition, place)) is not None]
    if not keys:
        return 0
    first = 0
    for attempt in range(_MOST_TRIES):
        (records,) = exchange.ask([Command(partition, (b"MGET", *keys))])
        old = {
            key: record
            for key, record in zip(keys, records, strict=True)
            if record is not None and is_of(OLD_FORMAT, record)
        }
        readable = _readable(exchange, partition, old)
        first = first if attempt else len(readable)
        if not readable:
            return first
        # What another writer has changed in between is looked at again.
        _rewrite(exchange, partition, readable)
    raise StoreError(
        "others keep changing sessions while they are upgraded; replace all replicas of older "
        "releases and try again"
    )


def _readable(
    exchange: Exchange, partition: int, records: dict[bytes, bytes]
) -> dict[bytes, Session]:
    """The sessions in records. Damaged ones stay as they are, but Redis forgets them no more."""
    sessions = {}
    for key, record in records.items():
        try:
            sessions[key] = decode(record)
        except ValueError:
            exchange.ask([Command(partition, (b"PERSIST", key))], changes=True)
    return sessions


def _rewrite(exchange: Exchange, partition: int, sessions: dict[bytes, Session]) -> None:
    """With their revisions, so that nobody who is about to change them has to read again."""
    keys: list[bytes] = []
    arguments: list[bytes] = []
    for key, session in sessions.items():
        place = place_in_order(session)
        score = repr(float(session.expires_at)).encode()
        keys += (key, EXPIRIES[partition])
        arguments += (revision_bytes(session.revision), place, score, encode(session, place))
    (outcomes,) = exchange.ask([REPLACE.call(partition, keys, arguments)], changes=True)
    for outcome in outcomes:
        if isinstance(outcome, bytes):
            raise exchange.refusal(outcome)
