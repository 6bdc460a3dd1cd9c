"""From a store's URL to the store."""

from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from service.errors import StoreError
from service.stores.clock import Clocks
from service.stores.memory import MemoryStore
from service.stores.sqlite.store import SqliteStore
from service.stores.store import Store

_KINDS = "use sqlite:///PATH, redis://HOST:PORT/DATABASE, redis-cluster://HOST:PORT,… or memory://"


def open_store(
    url: str,
    durability: Literal["normal", "full"],
    *,
    retention_seconds: float,
    timeout_seconds: float,
    clocks: Clocks | None = None,
) -> Store:
    """Open the store of a URL.

    `memory://`, `sqlite:///PATH` (relative; `sqlite:////PATH` is absolute) or one of those in
    `service/stores/redis/address.py`. `durability` concerns SQLite alone. Expired sessions are
    kept for `retention_seconds`. Redis may take `timeout_seconds` for an answer, and has clocks of
    its own; the other stores go by those of this machine, unless `clocks` are given. Raises
    StoreError for any other URL, and for what cannot be reached or used.
    """
    scheme, separator, rest = url.partition("://")
    if scheme == "memory" and separator and not rest:
        return MemoryStore(clocks, retention_seconds=retention_seconds)
    if scheme == "sqlite" and rest.startswith("/") and rest not in ("/", "/:memory:"):
        return SqliteStore(
            Path(unquote(rest[1:])), durability, clocks=clocks, retention_seconds=retention_seconds
        )
    if scheme in ("redis", "rediss", "redis-cluster", "rediss-cluster") and rest:
        return _open_redis(url, retention_seconds, timeout_seconds)
    raise StoreError(f"store {shown(url)!r} is not understood; {_KINDS}")


def shown(url: str) -> str:
    """The URL for people to read: without the password, and without the options of a server."""
    scheme, separator, rest = url.partition("://")
    if scheme == "sqlite" or not separator:
        return url if scheme == "sqlite" or "@" not in url else "***"
    place, question, _ = rest.partition("?")
    credentials, at, location = rest.rpartition("@")
    if not at:
        return f"{scheme}://{place}{question and '?***'}"
    location, question, _ = location.partition("?")
    user, colon, _ = credentials.partition(":")
    return (
        f"{scheme}://{user if colon else '***'}{colon and ':***'}@{location}{question and '?***'}"
    )


def _open_redis(url: str, retention_seconds: float, timeout_seconds: float) -> Store:
    # The driver is slow to import, and most services do not need it.
    from service.stores.redis.address import parse
    from service.stores.redis.cluster import Cluster
    from service.stores.redis.servers import SingleServer
    from service.stores.redis.store import RedisStore

    try:
        address = parse(url, timeout_seconds)
    except ValueError as error:
        raise StoreError(f"store {shown(url)!r} is not understood: {error}") from None
    try:
        servers = (
            Cluster(address.nodes, address.access)
            if address.cluster
            else SingleServer(address.nodes[0], address.access)
        )
        return RedisStore(servers, retention_seconds)
    except StoreError as error:
        raise StoreError(f"store {shown(url)}: {error}") from error
