"""One connection to one Redis node, and what to do about what it refuses."""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, cast

from hiredis import pack_command
from redis.connection import Connection, SSLConnection
from redis.exceptions import AskError, NoScriptError, RedisError, ResponseError

from service.errors import CommitUnknown, StoreError, StoreFull

Reply = Any
"""What Redis answered; a StoreError where it refused or said nothing; NoScriptError and AskError
(also its subclass MovedError) where the command is to be sent again in another way."""

# The types of hiredis know tuples of one word only.
_packed = cast(Callable[[tuple[bytes, ...]], bytes], pack_command)
_LEAST_WAIT_SECONDS = 0.001
_STALE = ("READONLY", "MASTERDOWN", "NOAUTH", "WRONGPASS")
"""After these answers a new connection may lead elsewhere, or be let in."""

_ADVICE = {
    "MISCONF": "Redis cannot write its own files; look at its log and its disk",
    "READONLY": "this Redis is a replica now; point the service at the master",
    "MASTERDOWN": "this Redis is a replica without a master; look at its replication",
    "NOREPLICAS": "Redis waits for replicas (min-replicas-to-write); look at its replication",
    "LOADING": "Redis is loading its data; it will be there when that is done",
    "BUSY": "Redis is busy with a script; look for another application's",
    "CLUSTERDOWN": "some of the cluster's slots have no node; look at CLUSTER INFO, "
    "and set cluster-require-full-coverage no so that the others go on",
    "TRYAGAIN": "the cluster is moving this slot to another node; try again",
    "MOVED": "this Redis is part of a cluster; use redis-cluster://",
    "CROSSSLOT": "this Redis is part of a cluster; use redis-cluster://",
    "ERR This instance has cluster support disabled": "use redis://",
    "WRONGTYPE": "another application keeps a key named gatewise:… here; use another database",
    "NOAUTH": "Redis asks for a password; put it into the URL",
    "WRONGPASS": "Redis does not take this user and password; check the URL",
    "NOPERM": "let this Redis user run INFO, PING, TIME, EVAL, EVALSHA and all commands on keys "
    "gatewise:*, in a cluster also CLUSTER SLOTS and ASKING",
    "SCHEMA": "a newer release has changed what is kept here; run that release",
}


class Node(NamedTuple):
    """The address of a Redis process."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Access(NamedTuple):
    """How every node is spoken to: `options` are keyword arguments of redis-py's connections."""

    tls: bool
    options: dict[str, Any]
    timeout_seconds: float


class _Connection(Protocol):
    """The part of redis-py's connection that is used here, with types."""

    is_connected: bool

    def connect(self) -> None: ...
    def disconnect(self) -> None: ...
    def can_read(self, timeout: float = 0) -> bool: ...
    def send_packed_command(self, command: list[bytes], check_health: bool = True) -> None: ...
    def read_response(self, *, timeout: float = ...) -> Reply: ...


class Link:
    """Sends commands and waits for their answers; connects by itself, never sends twice.

    Whatever goes wrong closes the connection, so that no answer is ever taken for another's.
    """

    def __init__(self, node: Node, access: Access) -> None:
        self.node = node
        self._timeout_seconds = access.timeout_seconds
        self._connection = _connection(node, access)
        self._changes = False
        self._awaited = 0

    def send(self, commands: Sequence[tuple[bytes, ...]], *, changes: bool) -> None:
        """Send without waiting; `changes` says whether any of them may change data.

        Raises StoreError when nothing was sent, CommitUnknown when a change may have been.
        """
        self._changes = changes
        self._be_connected()
        # In one piece: it goes out at once, without a packet and a wake-up for each command.
        everything = b"".join(map(_packed, commands))
        self._awaited = len(commands)
        try:
            self._connection.send_packed_command([everything], check_health=False)
        except RedisError as error:
            raise self._lost(error) from error

    def receive(self, deadline: float) -> list[Reply]:
        """The answers to all that was sent, each before the deadline (monotonic time)."""
        replies: list[Reply] = []
        stale = False
        while self._awaited > 0:
            try:
                replies.append(self._read(deadline))
            except (AskError, NoScriptError) as direction:
                replies.append(direction)
            except RedisError as error:
                replies.append(self._failure(error))
                stale = stale or _answer_of(error).startswith(_STALE)
                if not self._connection.is_connected:
                    replies += [self._lost(error)] * (self._awaited - 1)
                    break
            self._awaited -= 1
        self._awaited = 0
        if stale:
            self.close()
        return replies

    @property
    def is_connected(self) -> bool:
        """False before the first command, and after a failure until the next one."""
        return self._connection.is_connected

    def close(self) -> None:
        self._connection.disconnect()

    def _read(self, deadline: float) -> Reply:
        left = deadline - time.monotonic()
        if left > self._timeout_seconds * 0.9:
            # Near enough to what the socket waits anyway, and without changing its settings.
            return self._connection.read_response()
        return self._connection.read_response(timeout=max(left, _LEAST_WAIT_SECONDS))

    def _be_connected(self) -> None:
        if self._is_fit():
            return
        self._connection.disconnect()
        try:
            self._connection.connect()
        except (RedisError, OSError) as error:
            self._connection.disconnect()
            raise self._refused(error) from error

    def _is_fit(self) -> bool:
        """Whether nobody closed the connection meanwhile, and no answer is left on it.

        An answer that is still awaited, or there unasked, would be taken for the next one's.
        """
        try:
            return self.is_connected and not self._awaited and not self._connection.can_read()
        except RedisError:
            return False

    def _refused(self, error: RedisError | OSError) -> StoreError:
        if isinstance(error, RedisError) and (answer := _answer_of(error)):
            return refusal(answer, f"Redis {self.node}")
        return StoreError(f"Redis {self.node} cannot be reached: {error}")

    def _failure(self, error: RedisError) -> StoreError:
        """What became of one command."""
        if answer := _answer_of(error):
            return refusal(answer, f"Redis {self.node}")
        return self._lost(error)

    def _lost(self, error: RedisError) -> StoreError:
        """What became of commands that were sent and will not be answered any more."""
        what = f"Redis {self.node} did not answer: {error}"
        if self._changes:
            return CommitUnknown(f"{what}; the change may or may not have been made")
        return StoreError(what)


def _connection(node: Node, access: Access) -> _Connection:
    kind = SSLConnection if access.tls else Connection
    made = kind(
        host=node.host,
        port=node.port,
        socket_timeout=access.timeout_seconds,
        socket_connect_timeout=access.timeout_seconds,
        protocol=2,
        driver_info=None,
        **access.options,
    )
    return cast(_Connection, made)


def _answer_of(error: RedisError) -> str:
    """What Redis answered, such as `OOM command not allowed …`; nothing when it did not answer."""
    if error.status_code is not None:
        return f"{error.status_code} {error}"
    return str(error) if isinstance(error, ResponseError) else ""


def refusal(answer: str, where: str) -> StoreError:
    """The error for what Redis answered; nothing was changed."""
    code = answer.split(" ", 1)[0]
    if code == "OOM":
        return StoreFull(
            f"{where} is full (maxmemory is reached); give it more memory, delete sessions "
            "or let them expire"
        )
    advice = _ADVICE.get(code) or _ADVICE.get(answer)
    return StoreError(f"{where}: {answer}" + (f" – {advice}" if advice else ""))
