"""Whether a Redis can hold sessions, and whether those in it are of this release.

Looks before it writes: what is refused stays as it was.
"""

from service.errors import StoreError
from service.stores.redis.exchange import Exchange
from service.stores.redis.partitions import EXPIRIES, LISTINGS, PARTITIONS, SCHEMA_VERSION, SCHEMAS
from service.stores.redis.scripts import Command

_LEAST_VERSION = (7, 0)


def adopt(exchange: Exchange) -> None:
    """Make an empty database ours, or recognise it as ours. Raises StoreError for any other."""
    for partition in exchange.servers.everywhere():
        (info,) = exchange.ask([Command(partition, (b"INFO",))])
        _check_server(_fields(info.decode(errors="replace")))
    if any(_look(exchange)):
        marks = [Command(p, (b"SET", SCHEMAS[p], SCHEMA_VERSION, b"NX")) for p in range(PARTITIONS)]
        exchange.ask(marks, changes=True)
        # Another release may have been faster.
        _look(exchange)


def _look(exchange: Exchange) -> list[bool]:
    """Which partitions have no version yet."""
    # The versions last: where there are sessions, there was a version before them.
    types = exchange.ask(
        [
            Command(partition, (b"TYPE", key))
            for keys in (LISTINGS, EXPIRIES, SCHEMAS)
            for partition, key in enumerate(keys)
        ]
    )
    kinds = list(
        zip(*(types[i * PARTITIONS : (i + 1) * PARTITIONS] for i in range(3)), strict=True)
    )
    for kind in kinds:
        _check_kinds(*kind)
    versions = exchange.ask([Command(p, (b"GET", SCHEMAS[p])) for p in range(PARTITIONS)])
    for version in versions:
        if version not in (None, SCHEMA_VERSION):
            raise StoreError(
                f"sessions in this Redis have schema version {version.decode(errors='replace')}, "
                f"this release needs {SCHEMA_VERSION.decode()}"
            )
    return [version is None for version in versions]


def _check_kinds(listing: bytes, expiry: bytes, schema: bytes) -> None:
    """Without a version there is nothing yet; with one, indexes come and go with the sessions."""
    ours = (b"none", b"zset") if schema == b"string" else (b"none",)
    if schema not in (b"none", b"string") or listing not in ours or expiry not in ours:
        raise StoreError(
            "this Redis has keys named gatewise:… of another application; use another database"
        )


def _fields(info: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in info.splitlines())
    return {name: value for name, colon, value in pairs if colon}


def _check_server(info: dict[str, str]) -> None:
    version = info.get("redis_version", "0.0")
    if tuple(int(number) for number in version.split(".")[:2]) < _LEAST_VERSION:
        raise StoreError(f"Redis {version} is too old; sessions need 7.0 or later")
    if info.get("role") == "slave":
        raise StoreError("this Redis is a replica; point the service at the master")
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction" and info.get("maxmemory", "0") != "0":
        raise StoreError(
            f"this Redis drops keys when its memory is full (maxmemory-policy {policy}), and would "
            "drop sessions that live; set maxmemory-policy noeviction"
        )
