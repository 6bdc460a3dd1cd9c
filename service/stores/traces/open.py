"""From the URL of a store of sessions to the traces beside it."""

from pathlib import Path

from service.errors import StoreError
from service.stores.open import MEMORY, redis_address, shown, sqlite_path
from service.stores.traces.memory import MemoryTraces
from service.stores.traces.sqlite import SqliteTraces
from service.stores.traces.traces import Traces


def open_traces(url: str, *, timeout_seconds: float) -> Traces:
    """The traces beside the store of a URL, see `open_store`.

    `sqlite:///gatewise.db` has them in `gatewise-traces.db`, which the first trace makes; Redis in
    keys of its own. Nothing is opened before it is needed. Raises StoreError for a URL that is not
    understood.
    """
    if url == MEMORY:
        return MemoryTraces()
    if (path := sqlite_path(url)) is not None:
        return SqliteTraces(traces_path(path))
    return _of_redis(url, timeout_seconds)


def traces_path(sessions: Path) -> Path:
    """The file of traces that belongs to a file of sessions."""
    return sessions.with_name(f"{sessions.stem}-traces{sessions.suffix}")


def _of_redis(url: str, timeout_seconds: float) -> Traces:
    address = redis_address(url, timeout_seconds)
    # The driver is slow to import, and most services do not need it.
    from service.stores.redis.cluster import servers_at
    from service.stores.redis.servers import Servers
    from service.stores.traces.redis import RedisTraces

    def connect() -> Servers:
        try:
            return servers_at(address)
        except StoreError as error:
            raise StoreError(f"traces in {shown(url)}: {error}") from error

    return RedisTraces(connect)
