"""The store in Redis."""

import struct
from collections.abc import Callable, Sequence
from copy import copy

from service.errors import SessionDamaged, SessionExists, StoreError
from service.stores.clock import Clocks
from service.stores.columns import Moves, as_records
from service.stores.record import (
    FORMAT,
    decode,
    encode,
    encode_old,
    is_of,
    model_in,
    place_in_order,
    revision_bytes,
)
from service.stores.redis import upgrade
from service.stores.redis.clock import RedisClock
from service.stores.redis.exchange import Exchange
from service.stores.redis.index import find, page_of, purge
from service.stores.redis.link import Reply
from service.stores.redis.partitions import (
    EXPIRIES,
    LISTINGS,
    OLD_SCHEMA_VERSION,
    PARTITIONS,
    SCHEMA_VERSION,
    SCHEMAS,
    home_of,
)
from service.stores.redis.schema import adopt
from service.stores.redis.scripts import (
    COUNT,
    CREATE,
    REMOVE,
    REPLACE,
    UNREADABLE,
    UPGRADED,
    Command,
)
from service.stores.redis.servers import Servers
from service.stores.store import Found, Identity, Listed, Position, Replaced, Session


class RedisStore:
    """Sessions in Redis or a Redis Cluster.

    What Redis has confirmed survives as far as its own persistence and replication promise. While
    replicas of an older release may share it, records are written as those can read them: see
    `upgrade.py`.
    """

    def __init__(
        self, servers: Servers, retention_seconds: float, *, clocks: Clocks | None = None
    ) -> None:
        """`retention_seconds` is how long the service keeps expired sessions.

        Raises StoreError for a Redis that cannot be reached, or holds data that are not ours.
        """
        self._exchange = Exchange(servers)
        self._owns_clock = True
        try:
            self._mode = upgrade.Mode(old=adopt(self._exchange))
            self._clock = RedisClock(servers.clone_for_thread(), retention_seconds, clocks)
        except BaseException:
            servers.close()
            raise

    def create(self, session: Session) -> None:
        if self._mode.old and (refused := upgrade.kept_back(session)):
            raise refused
        created = self._create(session)
        if created == UPGRADED:
            self._mode.old = False
            created = self._create(session)
        if not created:
            raise SessionExists(session.session_id)

    def read(self, identities: Sequence[Identity]) -> list[Found]:
        homes = [home_of(tenant, session_id) for tenant, session_id in identities]

        def reading(indexes: Sequence[int]) -> Command:
            keys = (homes[index].key for index in indexes)
            return Command(homes[indexes[0]].partition, (b"MGET", *keys))

        partitions = [home.partition for home in homes]
        outcomes = self._exchange.outcomes(partitions, reading, changes=False)
        if self._mode.old and any(
            isinstance(outcome, bytes) and is_of(FORMAT, outcome) for outcome in outcomes
        ):
            self._mode.old = False
        return list(map(_found, identities, outcomes))

    def replace(self, sessions: Sequence[Session], expected: Sequence[int]) -> list[Replaced]:
        outcomes = self._replace(sessions, expected)
        late = [index for index, outcome in enumerate(outcomes) if outcome == UPGRADED]
        if late:
            self._mode.old = False
            again = self._replace([sessions[i] for i in late], [expected[i] for i in late])
            for index, outcome in zip(late, again, strict=True):
                outcomes[index] = outcome
        return [self._replaced(outcome) for outcome in outcomes]

    def advance(self, moves: Sequence[Moves]) -> list[Replaced]:
        return self.replace(*as_records(moves))

    is_quick = False

    @property
    def node_of(self) -> Callable[[Identity], object] | None:
        node_of = self._exchange.servers.node_of
        return node_of and (lambda identity: node_of(home_of(*identity).partition))

    def others_wrote(self) -> bool:
        return False

    def remove(self, identity: Identity) -> bool:
        (removed,) = self._exchange.ask([_removal(identity)], changes=True)
        if removed == UNREADABLE:
            places = find(self._exchange, identity)
            (removed,) = self._exchange.ask([_removal(identity, places=places)], changes=True)
        return bool(removed)

    def page(self, *, tenant: str, model: str | None, after: Position, limit: int) -> list[Listed]:
        return page_of(
            self._exchange, self.read, tenant=tenant, model=model, after=after, limit=limit
        )

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

    @property
    def counts_changes(self) -> bool:
        return not self._mode.old

    def finish_upgrade(self) -> int:
        """Write everything as this release does; returns how many sessions were not yet.

        For when all replicas are of this release: an older one fails from then on. Raises
        StoreError; then run it again.
        """
        self._mode.old = False
        return upgrade.finish(self._exchange)

    def now(self) -> float:
        return self._clock.now()

    @property
    def clock_held(self) -> str | None:
        return self._clock.held

    def refresh_clock(self) -> None:
        if self._mode.old and upgrade.is_finished(self._exchange):
            self._mode.old = False
        self._clock.refresh()

    def accept_clock(self) -> None:
        self._clock.accept()

    def clone_for_thread(self) -> "RedisStore":
        """Over connections of its own, with this store's clock, which lasts until this closes."""
        clone = copy(self)
        clone._exchange = Exchange(self._exchange.servers.clone_for_thread())
        clone._owns_clock = False
        return clone

    def close(self) -> None:
        self._exchange.servers.close()
        if self._owns_clock:
            self._clock.close()

    def _create(self, session: Session) -> int:
        partition, key = home_of(*session.identity)
        place = place_in_order(session)
        version, encoded = (
            (OLD_SCHEMA_VERSION, encode_old) if self._mode.old else (SCHEMA_VERSION, encode)
        )
        command = CREATE.call(
            partition,
            (key, LISTINGS[partition], EXPIRIES[partition], SCHEMAS[partition]),
            (
                version,
                struct.pack(">d", session.created_at),
                place,
                _score(session),
                encoded(session, place),
            ),
        )
        created: int
        (created,) = self._exchange.ask([command], changes=True)
        return created

    def _replace(self, sessions: Sequence[Session], expected: Sequence[int]) -> list[Reply]:
        if not self._mode.old:
            return self._set(sessions, expected, encode)
        outcomes: list[Reply] = list(map(upgrade.kept_back, sessions))
        possible = [index for index, refused in enumerate(outcomes) if refused is None]
        ended = [index for index in possible if sessions[index].finished]
        others = [index for index in possible if not sessions[index].finished]
        for indexes, replies in (
            # An older release knows no tombstones.
            (ended, self._end([sessions[i] for i in ended], [expected[i] for i in ended])),
            (
                others,
                self._set([sessions[i] for i in others], [expected[i] for i in others], encode_old),
            ),
        ):
            for index, reply in zip(indexes, replies, strict=True):
                outcomes[index] = reply
        return outcomes

    def _set(
        self,
        sessions: Sequence[Session],
        expected: Sequence[int],
        encoded: Callable[[Session, bytes], bytes],
    ) -> list[Reply]:
        homes = [home_of(session.tenant, session.session_id) for session in sessions]

        def replacing(indexes: Sequence[int]) -> Command:
            keys: list[bytes] = []
            arguments: list[bytes] = []
            for index in indexes:
                partition, key = homes[index]
                session = sessions[index]
                place = place_in_order(session)
                keys += (key, EXPIRIES[partition])
                arguments += (
                    revision_bytes(expected[index]),
                    place,
                    _score(session),
                    encoded(session, place),
                )
            return REPLACE.call(homes[indexes[0]].partition, keys, arguments)

        partitions = [home.partition for home in homes]
        return self._exchange.outcomes(partitions, replacing, changes=True)

    def _end(self, sessions: Sequence[Session], expected: Sequence[int]) -> list[Reply]:
        return self._exchange.replies(
            [
                _removal(session.identity, revision_bytes(revision))
                for session, revision in zip(sessions, expected, strict=True)
            ],
            changes=True,
        )

    def _replaced(self, outcome: Reply) -> Replaced:
        if isinstance(outcome, bytes):
            return self._exchange.refusal(outcome)
        return outcome if isinstance(outcome, StoreError) else bool(outcome)


def _score(session: Session) -> bytes:
    return repr(float(session.expires_at)).encode()


def _removal(identity: Identity, expected: bytes = b"", places: Sequence[bytes] = ()) -> Command:
    partition, key = home_of(*identity)
    keys = (key, LISTINGS[partition], EXPIRIES[partition])
    return REMOVE.call(partition, keys, (expected, *places))


def _found(identity: Identity, outcome: Reply) -> Found:
    if outcome is None or isinstance(outcome, StoreError):
        return outcome
    tenant, session_id = identity
    try:
        session = decode(outcome)
    except ValueError as error:
        reason = str(error)
    else:
        if session.session_id == session_id and session.tenant == tenant:
            return session
        reason = f"its record is that of session {session.session_id!r}"
    return SessionDamaged(session_id, reason, tenant=tenant, model=model_in(outcome))
