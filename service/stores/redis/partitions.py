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
LISTINGS = [b"gatewise:{%s}:listing" % tag for tag in TAGS]
"""By partition, a sorted set of places, all with score 0."""

EXPIRIES = [b"gatewise:{%s}:expiry" % tag for tag in TAGS]
"""By partition, a sorted set of the same places by `expires_at`."""

SCHEMAS = [b"gatewise:{%s}:schema" % tag for tag in TAGS]
"""By partition, the version of the schema."""

CLOCK = b"gatewise:{%s}:clock" % TAGS[0]
"""In the first partition alone: what the store's clock showed, a hash by boot id."""

SCHEMA_VERSION = b"2"
OLD_SCHEMA_VERSION = b"1"
"""While it stands there, replicas of an older release may be at work: see `upgrade.py`."""


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
    owner = tenant.encode()
    name = b"%d:%s:%s" % (len(owner), owner, name)
    partition = crc32(name) % PARTITIONS
    return Home(partition, _TENANT[partition] + name)
