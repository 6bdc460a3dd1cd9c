"""Commands for a group of sessions, and what became of each of them."""

from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Any

from redis.exceptions import NoScriptError

from service.errors import StoreError
from service.stores.redis.link import Reply, refusal
from service.stores.redis.scripts import Command
from service.stores.redis.servers import Servers


class Exchange:
    """Between a store, which thinks in sessions, and servers, which take commands."""

    def __init__(self, servers: Servers) -> None:
        self.servers = servers

    def outcomes(
        self,
        partitions: Sequence[int],
        command: Callable[[Sequence[int]], Command],
        *,
        changes: bool,
    ) -> list[Any]:
        """One outcome for each of `partitions`, a StoreError where it failed. Never raises.

        `command` makes one for several indexes into `partitions`; it is answered with a list of
        as many outcomes.
        """
        groups = self.servers.together(partitions)
        replies = self.replies([command(group) for group in groups], changes=changes)
        outcomes: list[Any] = [None] * len(partitions)
        for group, reply in zip(groups, replies, strict=True):
            answers = repeat(reply) if isinstance(reply, StoreError) else reply
            for index, outcome in zip(group, answers, strict=False):
                outcomes[index] = outcome
        return outcomes

    def ask(self, commands: Sequence[Command], *, changes: bool = False) -> list[Any]:
        """The answers to commands that are of use only together. Raises StoreError for any."""
        replies = self.replies(commands, changes=changes)
        for reply in replies:
            if isinstance(reply, StoreError):
                raise reply
        return replies

    def replies(self, commands: Sequence[Command], *, changes: bool) -> list[Reply]:
        """The answers in order; those that a node refused for want of the script are sent again."""
        replies = self.servers.exchange(commands, changes=changes)
        unknown = [i for i, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if unknown:
            again = [commands[index].with_source() for index in unknown]
            for index, reply in zip(
                unknown, self.servers.exchange(again, changes=changes), strict=True
            ):
                replies[index] = reply
        return replies

    def refusal(self, answer: bytes) -> StoreError:
        """The error for what refused one session inside a script."""
        if answer.startswith(b"READONLY"):
            # After a failover the same address may lead to the new master.
            self.servers.close()
        return refusal(answer.decode(errors="replace"), "Redis")
