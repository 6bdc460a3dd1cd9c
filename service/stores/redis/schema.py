"""Whether a Redis can hold sessions, and whether those in it are of a release that is known.

Looks before it writes: what is refused stays as it was.
"""

from collections.abc import Sequence

from service.errors import StoreError
from service.stores.redis.exchange import Exchange
from service.stores.redis.partitions import (
    CLOCK,
    EXPIRIES,
    LISTINGS,
    OLD_SCHEMA_VERSION,
    PARTITIONS,
    SCHEMA_VERSION,
    SCHEMAS,
)
from service.stores.redis.scripts import Command

_LEAST_VERSION = (7, 0)

Versions = list[bytes | None]
"""The schema's version by partition; None where there is nothing yet."""


def adopt(exchange: Exchange) -> bool:
    """Make an empty database ours, or recognise it as ours. Raises StoreError for any other.

    Returns whether replicas of an older release may be at work in it, see `upgrade.py`.
    """
    for partition in exchange.servers.everywhere():
        (info,) = exchange.ask([Command(partition, (b"INFO",))])
        _check_server(_fields(info.decode(errors="replace")))
    versions = versions_of(exchange)
    if None in versions:
        missing = [p for p in range(PARTITIONS) if versions[p] is None]
        version = OLD_SCHEMA_VERSION if _is_old(versions) else SCHEMA_VERSION
        marks = [Command(p, (b"SET", SCHEMAS[p], version, b"NX")) for p in missing]
        exchange.ask(marks, changes=True)
        # Another release may have been faster.
        versions = versions_of(exchange)
    return _is_old(versions)


def versions_of(exchange: Exchange) -> Versions:
    """Raises StoreError where a version is not known, or the keys are not ours."""
    # The versions last: where there are sessions, there was a version before them.
    types = exchange.ask(
        [
            Command(partition, (b"TYPE", key))
            for keys in (LISTINGS, EXPIRIES, SCHEMAS)
            for partition, key in enumerate(keys)
        ]
        + [Command(0, (b"TYPE", CLOCK))]
    )
    kinds = zip(*(types[i * PARTITIONS : (i + 1) * PARTITIONS] for i in range(3)), strict=True)
    if not all(_are_ours(*kind) for kind in kinds) or types[-1] not in (b"none", b"hash"):
        raise StoreError(
            "this Redis has keys named gatewise:… of another application; use another database"
        )
    versions: Versions = exchange.ask([Command(p, (b"GET", SCHEMAS[p])) for p in range(PARTITIONS)])
    for version in versions:
        if version not in (None, OLD_SCHEMA_VERSION, SCHEMA_VERSION):
            raise StoreError(
                f"sessions in this Redis have schema version {version.decode(errors='replace')}, "
                "this release knows 1 and 2"
            )
    return versions


def _is_old(versions: Sequence[bytes | None]) -> bool:
    """Where one partition has been upgraded, the others are about to be."""
    return OLD_SCHEMA_VERSION in versions and SCHEMA_VERSION not in versions


def _are_ours(listing: bytes, expiry: bytes, schema: bytes) -> bool:
    """Without a version there is nothing yet; with one, indexes come and go with the sessions."""
    ours = (b"none", b"zset") if schema == b"string" else (b"none",)
    return schema in (b"none", b"string") and listing in ours and expiry in ours


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
