"""Stores in Redis as the service would open them."""

from service.stores.open import open_store
from service.stores.store import Session, Store
from tests.contract.sessions import session
from tests.redis_server import RedisServer

RETENTION_SECONDS = 86400.0
TIMEOUT_SECONDS = 0.5
"""A short patience, for what is to fail."""
PATIENCE_SECONDS = 10.0
"""For what is to succeed, on a busy machine too."""


def opened(
    url: str,
    *,
    retention_seconds: float = RETENTION_SECONDS,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Store:
    """The store of a URL."""
    return open_store(
        url, "normal", retention_seconds=retention_seconds, timeout_seconds=timeout_seconds
    )


def created(store: Store, *session_ids: str) -> list[Session]:
    """New sessions with these ids."""
    sessions = [session(session_id) for session_id in session_ids]
    for one in sessions:
        store.create(one)
    return sessions


def damage_record(server: RedisServer, key: bytes, kind: str) -> None:
    """Make a session's record unreadable, in one of `DAMAGES`."""
    record: bytes = server.ask("GET", key)
    damaged = {
        "cut off": record[:-1],
        "cut in front": record[:20],
        "empty": b"",
        "longer": record + b"\x00",
        "of an unknown format": b"\x09" + record[1:],
        "at another place": record.replace(b"weather\x00", b"weather\x01"),
        "no text": record.replace(b"weather\x00", b"weath\xff\xff\x00"),
    }
    server.ask("SET", key, damaged[kind])


DAMAGES = (
    "cut off",
    "cut in front",
    "empty",
    "longer",
    "of an unknown format",
    "at another place",
    "no text",
)


def everything(server: RedisServer) -> dict[bytes, tuple[bytes, int]]:
    """All keys with what they hold and when they end."""
    keys: list[bytes] = server.ask("KEYS", "*")
    return {key: (server.ask("DUMP", key), server.ask("PEXPIRETIME", key)) for key in keys}
