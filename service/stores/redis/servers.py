"""What a store needs of the Redis behind it; and a single one."""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from redis.exceptions import AskError

from service.errors import StoreError
from service.stores.redis.link import Access, Link, Node, Reply, refusal
from service.stores.redis.probe import Patience
from service.stores.redis.scripts import Command

_MOST_TOGETHER = 512
"""Most sessions in one command: Redis does nothing else while it runs."""


class Servers(Protocol):
    """One Redis or a cluster of them."""

    def together(self, partitions: Sequence[int]) -> list[list[int]]:
        """Which may share one command: indexes into `partitions`, each in one of the groups."""

    @property
    def node_of(self) -> Callable[[int], object] | None:
        """The node of a partition; None where there is one node alone."""

    def everywhere(self) -> list[int]:
        """Partitions such that every node has exactly one of them. Raises StoreError."""

    def exchange(self, commands: Sequence[Command], *, changes: bool) -> list[Reply]:
        """Send all, one round trip for each node; answers in order. See `Reply` for failures."""

    def clone_for_thread(self) -> "Servers":
        """The same over connections of its own, for one more thread. Raises StoreError."""

    def close(self) -> None:
        """Close all connections; a later exchange would open them again."""


class SingleServer:
    """One Redis process."""

    node_of = None

    def __init__(self, node: Node, access: Access) -> None:
        self._link = Link(node, access)
        self._patience = Patience(access)
        self._access = access

    def together(self, partitions: Sequence[int]) -> list[list[int]]:
        count = len(partitions)
        return [
            list(range(start, min(start + _MOST_TOGETHER, count)))
            for start in range(0, count, _MOST_TOGETHER)
        ]

    def everywhere(self) -> list[int]:
        return [0]

    def exchange(self, commands: Sequence[Command], *, changes: bool) -> list[Reply]:
        node, started = self._link.node, time.monotonic()
        try:
            self._patience.check(node)
            self._link.send([command.words for command in commands], changes=changes)
        except StoreError as error:
            self._patience.lost(node, started)
            return [error] * len(commands)
        replies = self._link.receive(time.monotonic() + self._access.timeout_seconds)
        if not self._link.is_connected:
            self._patience.lost(node, started)
        return [
            refusal(f"MOVED {reply}", f"Redis {node}") if isinstance(reply, AskError) else reply
            for reply in replies
        ]

    def clone_for_thread(self) -> "SingleServer":
        return SingleServer(self._link.node, self._access)

    def close(self) -> None:
        self._link.close()
        self._patience.forget_others(())
