"""Traces in Redis or a Redis Cluster, for any number of replicas.

A trace is a hash, and its pieces are a list, with one hash tag. Which traces there are stands in
two keys of the first partition. Should Redis lose one of them without the other, a trace is not
found, or found without its pieces: nothing is made up.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Lock

from service.errors import StoreError
from service.stores.redis.exchange import Exchange
from service.stores.redis.partitions import RECORDED, TRACES, tenant_prefix, trace_home_of
from service.stores.redis.scripts import Command
from service.stores.redis.servers import Servers
from service.stores.traces.encoding import decode_piece, decode_trace, encode_piece, encode_trace
from service.stores.traces.scripts import APPEND, CREATE, PIECES_AFTER, RELEASE, RESERVE
from service.stores.traces.traces import Addition, Piece, Trace, check_room

_REGISTRY = 0
"""The partition of the keys that say which traces there are."""

_LONGER_MILLISECONDS = 60_000
"""So much longer than a trace lives Redis keeps it: whoever asks goes by another clock."""


class RedisTraces:
    """Traces in the Redis of a store of sessions."""

    def __init__(self, connect: Callable[[], Servers]) -> None:
        """Connects with the first call."""
        # A long trace that is read must not hold up those who append.
        self._writing = _Line(connect)
        self._reading = _Line(connect)

    def create(self, trace: Trace, pieces: Sequence[Piece], *, most: int) -> None:
        home = trace_home_of(trace.tenant, trace.trace_id)
        record = encode_trace(trace)
        lasting = b"%d" % _milliseconds(trace)
        reserve = RESERVE.call(
            _REGISTRY,
            (TRACES, RECORDED),
            (
                *(home.name, _number(trace.created_at), b"%d" % most, _number(trace.expires_at)),
                *(lasting, b"" if trace.session_id is None else record),
            ),
        )
        made = (record, trace.about, b"%d" % trace.max_bytes, lasting, *map(encode_piece, pieces))
        with self._reading.exchange() as exchange:
            (living,) = exchange.ask([reserve], changes=True)
            if living >= 0:
                check_room(living, most)
            try:
                exchange.ask(
                    [CREATE.call(home.partition, (home.key, home.pieces), made)], changes=True
                )
            except StoreError:
                # Otherwise it takes the place of another one until it expires.
                with suppress(StoreError):
                    exchange.ask([_release(home.name)], changes=True)
                raise

    def find(self, tenant: str, trace_id: str) -> Trace | None:
        home = trace_home_of(tenant, trace_id)
        with self._reading.exchange() as exchange:
            (kept,) = exchange.ask([_look(home.partition, home.key)])
        return _trace(kept)

    def of_tenant(self, tenant: str, session_id: str | None = None) -> list[Trace]:
        prefix = tenant_prefix(tenant)
        with self._reading.exchange() as exchange:
            (names,) = exchange.ask([Command(_REGISTRY, (b"ZRANGE", TRACES, b"0", b"-1"))])
            ids = [name[len(prefix) :].decode() for name in names if name.startswith(prefix)]
            homes = [trace_home_of(tenant, trace_id) for trace_id in ids]
            kept = exchange.ask([_look(home.partition, home.key) for home in homes])
        found = [one for one in map(_trace, kept) if one is not None]
        if session_id is not None:
            found = [one for one in found if one.session_id == session_id]
        return sorted(found, key=lambda one: (one.created_at, one.trace_id))

    def recorded(self) -> list[Trace]:
        """With `about` empty, which nobody needs to record."""
        with self._writing.exchange() as exchange:
            (records,) = exchange.ask([Command(_REGISTRY, (b"HVALS", RECORDED))])
        return [decode_trace(record, b"{}") for record in records]

    def append(self, additions: Sequence[Addition]) -> None:
        homes = [trace_home_of(tenant, trace_id) for tenant, trace_id, _ in additions]

        def appending(indexes: Sequence[int]) -> Command:
            keys = [key for index in indexes for key in (homes[index].key, homes[index].pieces)]
            contents = [encode_piece(additions[index][2]) for index in indexes]
            return APPEND.call(homes[indexes[0]].partition, keys, contents)

        with self._writing.exchange() as exchange:
            partitions = [home.partition for home in homes]
            for outcome in exchange.outcomes(partitions, appending, changes=True):
                if isinstance(outcome, Exception):
                    raise outcome

    def pieces(self, tenant: str, trace_id: str, *, after_changes: int = -1) -> list[Piece]:
        home = trace_home_of(tenant, trace_id)
        command = Command(home.partition, (b"LRANGE", home.pieces, b"0", b"-1"))
        if after_changes >= 0:
            after = struct.pack(">q", after_changes)
            command = PIECES_AFTER.call(home.partition, (home.pieces,), (after,))
        with self._reading.exchange() as exchange:
            (contents,) = exchange.ask([command])
        if after_changes >= 0:
            contents.reverse()
        return [decode_piece(content) for content in contents]

    def delete(self, tenant: str, trace_id: str) -> bool:
        home = trace_home_of(tenant, trace_id)
        with self._reading.exchange() as exchange:
            removed, _ = exchange.ask(
                [
                    Command(home.partition, (b"DEL", home.key, home.pieces)),
                    _release(home.name),
                ],
                changes=True,
            )
        return bool(removed)

    def purge(self, expired_before: float) -> int:
        before = b"(" + _number(expired_before)
        with self._reading.exchange() as exchange:
            (names,) = exchange.ask(
                [Command(_REGISTRY, (b"ZRANGEBYSCORE", TRACES, b"-inf", before))]
            )
        return sum(self._purge(*_parts(name)) for name in names)

    def _purge(self, tenant: str, trace_id: str) -> bool:
        """Redis may have been faster; then it is the name alone that is left."""
        self.delete(tenant, trace_id)
        return True

    def close(self) -> None:
        self._writing.close()
        self._reading.close()


class _Line:
    """Connections for one thread at a time."""

    def __init__(self, connect: Callable[[], Servers]) -> None:
        self._connect = connect
        self._exchange: Exchange | None = None
        self._lock = Lock()
        self._closed = False

    @contextmanager
    def exchange(self) -> Iterator[Exchange]:
        """Raises StoreError where nobody answers."""
        with self._lock:
            if self._closed:
                raise StoreError("the traces are closed")
            if self._exchange is None:
                self._exchange = Exchange(self._connect())
            yield self._exchange

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._exchange is not None:
                self._exchange.servers.close()


def _milliseconds(trace: Trace) -> int:
    lives = max(0.0, trace.expires_at - trace.created_at)
    return int(lives * 1000) + _LONGER_MILLISECONDS


def _number(number: float) -> bytes:
    return repr(float(number)).encode()


def _look(partition: int, key: bytes) -> Command:
    return Command(partition, (b"HMGET", key, b"record", b"about"))


def _release(name: bytes) -> Command:
    return RELEASE.call(_REGISTRY, (TRACES, RECORDED), (name,))


def _trace(kept: Sequence[bytes | None]) -> Trace | None:
    record, about = kept
    return None if record is None or about is None else decode_trace(record, about)


def _parts(name: bytes) -> tuple[str, str]:
    """The tenant and the id in a name."""
    length, _, rest = name.partition(b":")
    count = int(length)
    return rest[:count].decode(), rest[count + 1 :].decode()
