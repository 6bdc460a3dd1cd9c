"""How sessions are spread: the names of all keys.

Sessions are spread over a fixed number of partitions. The keys of one partition share a hash tag,
so that a Redis Cluster keeps them on one node and a script can change them as one. The tags are
chosen so that partitions are spread evenly over the slots of a cluster.
"""

from binascii import crc_hqx
from itertools import count
from typing import NamedTuple
from zlib import crc32

PARTITIONS = 64
"""Part of the schema: another number would look for sessions where they are not."""

SLOTS = 16384


def slot_of(tag: bytes) -> int:
    """The cluster's slot of all keys with this hash tag (CRC16-XMODEM, Redis Cluster spec)."""
    return crc_hqx(tag, 0) % SLOTS


def _tag(partition: int) -> bytes:
    """The lowest number in decimal whose slot lies in this partition's share of the slots."""
    candidates = (str(number).encode() for number in count())
    share = SLOTS // PARTITIONS
    return next(tag for tag in candidates if slot_of(tag) // share == partition)


TAGS = [_tag(partition) for partition in range(PARTITIONS)]
PARTITION_SLOTS = [slot_of(tag) for tag in TAGS]

_SESSION = [b"gatewise:{%s}:session:" % tag for tag in TAGS]
_TENANT = [b"gatewise:{%s}:tenant:" % tag for tag in TAGS]
_TRACE = [b"gatewise:{%s}:trace:" % tag for tag in TAGS]
_PIECES = [b"gatewise:{%s}:pieces:" % tag for tag in TAGS]
LISTINGS = [b"gatewise:{%s}:listing" % tag for tag in TAGS]
"""By partition, a sorted set of places, all with score 0."""

EXPIRIES = [b"gatewise:{%s}:expiry" % tag for tag in TAGS]
"""By partition, a sorted set of the same places by `expires_at`."""

SCHEMAS = [b"gatewise:{%s}:schema" % tag for tag in TAGS]
"""By partition, the version of the schema."""

CLOCK = b"gatewise:{%s}:clock" % TAGS[0]
"""In the first partition alone: what the store's clock showed, a hash by boot id."""

TRACES = b"gatewise:{%s}:traces" % TAGS[0]
"""In the first partition alone: a sorted set of the names of all traces by `expires_at`."""

RECORDED = b"gatewise:{%s}:recorded" % TAGS[0]
"""And those among them that record sessions: a hash of records by name."""

SCHEMA_VERSION = b"2"
OLD_SCHEMA_VERSION = b"1"
"""While it stands there, replicas of an older release may be at work: see `upgrade.py`."""


class TraceHome(NamedTuple):
    """Where a trace is kept. Its name has its tenant in it."""

    partition: int
    name: bytes
    key: bytes
    pieces: bytes


class Home(NamedTuple):
    """Where a session is kept."""

    partition: int
    key: bytes


def home_of(tenant: str, session_id: str) -> Home:
    """The partition and the key of a session."""
    name = session_id.encode()
    if not tenant:
        partition = crc32(name) % PARTITIONS
        return Home(partition, _SESSION[partition] + name)
    name = tenant_prefix(tenant) + name
    partition = crc32(name) % PARTITIONS
    return Home(partition, _TENANT[partition] + name)


def trace_home_of(tenant: str, trace_id: str) -> TraceHome:
    """The partition and the keys of a trace."""
    name = tenant_prefix(tenant) + trace_id.encode()
    partition = crc32(name) % PARTITIONS
    return TraceHome(partition, name, _TRACE[partition] + name, _PIECES[partition] + name)


def tenant_prefix(tenant: str) -> bytes:
    """What the names of a tenant begin with, and those of no other."""
    owner = tenant.encode()
    return b"%d:%s:" % (len(owner), owner)
