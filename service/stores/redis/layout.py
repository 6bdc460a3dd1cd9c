"""Which node of a Redis Cluster has which partition."""

import time
from collections.abc import Sequence

from service.errors import StoreError
from service.stores.redis.link import Access, Link, Node, Reply
from service.stores.redis.partitions import PARTITION_SLOTS

Layout = list[Node | None]
"""By partition, the master of its slot; None where the cluster has none."""


def ask_for_layout(links: Sequence[Link], access: Access) -> Layout:
    """The layout as the first node tells it that answers. Raises StoreError when none does."""
    failure = StoreError("none of the cluster's nodes answers")
    for link in links:
        try:
            link.send([(b"CLUSTER", b"SLOTS")], changes=False)
        except StoreError as error:
            failure = error
            continue
        (reply,) = link.receive(time.monotonic() + access.timeout_seconds)
        if not isinstance(reply, StoreError):
            return _layout(reply, link.node)
        failure = reply
    raise failure


def _layout(ranges: Reply, asked: Node) -> Layout:
    """From `[first slot, last slot, [host, port, …], …]`; a node may leave out its own host."""
    layout: Layout = [None] * len(PARTITION_SLOTS)
    for first, last, (host, port, *_), *_ in ranges:
        node = Node(host.decode() if host else asked.host, port)
        for partition, slot in enumerate(PARTITION_SLOTS):
            if first <= slot <= last:
                layout[partition] = node
    return layout
