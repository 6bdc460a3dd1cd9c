"""From a store's URL to the store."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote

from service.errors import StoreError
from service.stores.clock import Clocks
from service.stores.memory import MemoryStore
from service.stores.sqlite.store import SqliteStore
from service.stores.store import Store

if TYPE_CHECKING:
    from service.stores.redis.address import Address

MEMORY = "memory://"
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
    if url == MEMORY:
        return MemoryStore(clocks, retention_seconds=retention_seconds)
    if (path := sqlite_path(url)) is not None:
        return SqliteStore(path, durability, clocks=clocks, retention_seconds=retention_seconds)
    return _open_redis(url, retention_seconds, timeout_seconds)


def sqlite_path(url: str) -> Path | None:
    """The file of sessions that a URL names; None where it names none."""
    scheme, _, rest = url.partition("://")
    if scheme != "sqlite" or not rest.startswith("/") or rest in ("/", "/:memory:"):
        return None
    return Path(unquote(rest[1:]))


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


def redis_address(url: str, timeout_seconds: float) -> "Address":
    """Where the Redis of a URL is. Raises StoreError for a URL that names none."""
    scheme, _, rest = url.partition("://")
    if scheme not in ("redis", "rediss", "redis-cluster", "rediss-cluster") or not rest:
        raise StoreError(f"store {shown(url)!r} is not understood; {_KINDS}")
    # The driver is slow to import, and most services do not need it.
    from service.stores.redis.address import parse

    try:
        return parse(url, timeout_seconds)
    except ValueError as error:
        raise StoreError(f"store {shown(url)!r} is not understood: {error}") from None


def _open_redis(url: str, retention_seconds: float, timeout_seconds: float) -> Store:
    address = redis_address(url, timeout_seconds)
    from service.stores.redis.cluster import servers_at
    from service.stores.redis.store import RedisStore

    try:
        return RedisStore(servers_at(address), retention_seconds)
    except StoreError as error:
        raise StoreError(f"store {shown(url)}: {error}") from error
