"""The store in Redis."""

import struct
from collections.abc import Sequence

from service.errors import SessionExists, StoreError
from service.stores.place import place_of
from service.stores.record import decode, encode, stamp
from service.stores.redis.exchange import Exchange
from service.stores.redis.index import page_of, purge
from service.stores.redis.link import Reply
from service.stores.redis.partitions import (
    EXPIRIES,
    LISTINGS,
    PARTITIONS,
    SCHEMA_VERSION,
    SCHEMAS,
    home_of,
)
from service.stores.redis.refusals import refusal
from service.stores.redis.schema import adopt
from service.stores.redis.scripts import COUNT, CREATE, DELETE, REPLACE, Command
from service.stores.redis.servers import Servers
from service.stores.store import Found, Position, Replaced, Session

_LAST_MOMENT_MS = 2**53
"""Redis forgets at a moment in milliseconds; this is far behind any, and far from overflow."""


class RedisStore:
    """Sessions in Redis or a Redis Cluster.

    Redis itself forgets a session `retention_seconds` after it expired. What it has confirmed
    survives as far as its own persistence and replication promise.
    """

    def __init__(self, servers: Servers, retention_seconds: float) -> None:
        """Raises StoreError for a Redis that cannot be reached, or holds data that are not ours."""
        self._exchange = Exchange(servers)
        self._retention_seconds = retention_seconds
        try:
            adopt(self._exchange)
        except BaseException:
            servers.close()
            raise

    def create(self, session: Session) -> None:
        partition, key = home_of(session.session_id)
        place = place_of((session.model, session.session_id))
        command = CREATE.call(
            partition,
            (key, LISTINGS[partition], EXPIRIES[partition], SCHEMAS[partition]),
            (
                SCHEMA_VERSION,
                struct.pack(">d", session.created_at),
                place,
                *self._written(session, place),
            ),
        )
        (created,) = self._exchange.ask([command], changes=True)
        if not created:
            raise SessionExists(session.session_id)

    def read(self, session_ids: Sequence[str]) -> list[Found]:
        homes = [home_of(session_id) for session_id in session_ids]

        def reading(indexes: Sequence[int]) -> Command:
            keys = (homes[index].key for index in indexes)
            return Command(homes[indexes[0]].partition, (b"MGET", *keys))

        partitions = [home.partition for home in homes]
        return [
            _found(outcome)
            for outcome in self._exchange.outcomes(partitions, reading, changes=False)
        ]

    def replace(self, sessions: Sequence[Session]) -> list[Replaced]:
        homes = [home_of(session.session_id) for session in sessions]

        def replacing(indexes: Sequence[int]) -> Command:
            keys: list[bytes] = []
            arguments: list[bytes] = []
            for index in indexes:
                partition, key = homes[index]
                session = sessions[index]
                place = place_of((session.model, session.session_id))
                keys += (key, EXPIRIES[partition])
                arguments += (stamp(session.revision - 1), place, *self._written(session, place))
            return REPLACE.call(homes[indexes[0]].partition, keys, arguments)

        partitions = [home.partition for home in homes]
        return [
            self._replaced(outcome)
            for outcome in self._exchange.outcomes(partitions, replacing, changes=True)
        ]

    def delete(self, session_id: str, revision: int | None = None) -> bool:
        partition, key = home_of(session_id)
        command = DELETE.call(
            partition,
            (key, LISTINGS[partition], EXPIRIES[partition]),
            (b"" if revision is None else stamp(revision),),
        )
        (deleted,) = self._exchange.ask([command], changes=True)
        return bool(deleted)

    def page(self, *, model: str | None, after: Position, limit: int) -> list[Session]:
        return page_of(self._exchange, self.read, model=model, after=after, limit=limit)

    def count(self, now: float) -> int:
        every = range(PARTITIONS)
        groups = self._exchange.servers.together(every)
        above = b"(" + repr(float(now)).encode()
        counts = self._exchange.ask(
            [COUNT.call(group[0], [EXPIRIES[p] for p in group], (above,)) for group in groups]
        )
        return sum(counts)

    def purge(self, expired_before: float, limit: int) -> int:
        return purge(self._exchange, expired_before, limit)

    def another(self) -> "RedisStore":
        return RedisStore(self._exchange.servers.another(), self._retention_seconds)

    def close(self) -> None:
        self._exchange.servers.close()

    def _written(self, session: Session, place: bytes) -> tuple[bytes, bytes, bytes]:
        """Score, moment to forget in milliseconds, record: what each change writes."""
        forget_at = (session.expires_at + self._retention_seconds) * 1000
        moment = int(min(max(forget_at, 1), _LAST_MOMENT_MS))
        return (
            repr(float(session.expires_at)).encode(),
            str(moment).encode(),
            encode(session, place),
        )

    def _replaced(self, outcome: Reply) -> Replaced:
        if isinstance(outcome, bytes):
            if outcome.startswith(b"READONLY"):
                # After a failover the same address may lead to the new master.
                self._exchange.servers.close()
            return refusal(outcome.decode(errors="replace"), "Redis")
        return outcome if isinstance(outcome, StoreError) else bool(outcome)


def _found(outcome: Reply) -> Found:
    if outcome is None or isinstance(outcome, StoreError):
        return outcome
    try:
        return decode(outcome)
    except StoreError as error:
        return error
