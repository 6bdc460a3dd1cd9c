"""A Redis Cluster: every command to the node that has its partition."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from redis.exceptions import AskError, MovedError

from service.errors import StoreError
from service.stores.redis.address import Address
from service.stores.redis.link import Access, Link, Node, Reply
from service.stores.redis.partitions import PARTITION_SLOTS
from service.stores.redis.probe import Patience
from service.stores.redis.scripts import Command
from service.stores.redis.servers import Servers, SingleServer

_MOST_REDIRECTIONS = 4
_LEAST_SHARE = 0.1
"""Of the time for an answer, what a node has even where another one has used it up."""
_NO_NODE = "no node of the cluster has the slot of this session; look at CLUSTER INFO"
_REFRESH_SECONDS = 0.5
"""While something is wrong, the layout is asked for again after this time."""

_Layout = list[Node | None]
"""By partition, the master of its slot; None where the cluster has none."""


@dataclass(slots=True)
class _Sending:
    """A command on its way, where it goes, and what came of it."""

    command: Command
    node: Node | None
    asking: bool = False
    reply: Reply = None

    def words(self) -> list[tuple[bytes, ...]]:
        return [(b"ASKING",), self.command.words] if self.asking else [self.command.words]


class Cluster:
    """A Redis Cluster, found through any of its nodes.

    A node that fails takes its own sessions with it and no others. What it left unanswered is not
    sent again; what a node refused because the slot has moved is sent to the right one.
    """

    def __init__(self, seeds: Sequence[Node], access: Access) -> None:
        """Raises StoreError when no node answers."""
        self._seeds = tuple(seeds)
        self._access = access
        self._links: dict[Node, Link] = {}
        self._patience = Patience(access)
        self._layout: _Layout = []
        self._refresh_at = 0.0
        self._refresh()

    def together(self, partitions: Sequence[int]) -> list[list[int]]:
        groups: dict[int, list[int]] = {}
        for index, partition in enumerate(partitions):
            groups.setdefault(partition, []).append(index)
        return list(groups.values())

    def node_of(self, partition: int) -> object:
        return self._layout[partition] or _NO_NODE

    def everywhere(self) -> list[int]:
        nodes: dict[Node, int] = {}
        for partition, node in enumerate(self._layout):
            if node is None:
                raise StoreError(_NO_NODE)
            nodes.setdefault(node, partition)
        return list(nodes.values())

    def exchange(self, commands: Sequence[Command], *, changes: bool) -> list[Reply]:
        if self._refresh_at <= time.monotonic():
            self._refresh_if_possible()
        sendings = [_Sending(command, self._layout[command.partition]) for command in commands]
        left = sendings
        for _ in range(1 + _MOST_REDIRECTIONS):
            self._deliver(left, changes=changes)
            left = self._redirected(left)
            if not left:
                break
        for sending in left:
            sending.reply = StoreError("the cluster's nodes disagree on where a slot is; try again")
        if any(isinstance(sending.reply, StoreError) for sending in sendings):
            self._refresh_soon()
        return [sending.reply for sending in sendings]

    def clone_for_thread(self) -> "Cluster":
        return Cluster(self._seeds, self._access)

    def close(self) -> None:
        for link in self._links.values():
            link.close()
        self._patience.forget_others(())

    def _deliver(self, sendings: Sequence[_Sending], *, changes: bool) -> None:
        """To all nodes first, then wait: they work at the same time."""
        by_node: dict[Node | None, list[_Sending]] = {}
        for sending in sendings:
            by_node.setdefault(sending.node, []).append(sending)
        sent = []
        for node, part in by_node.items():
            try:
                sent.append((self._send(node, part, changes=changes), part))
            except StoreError as error:
                for sending in part:
                    sending.reply = error
        patience = self._access.timeout_seconds
        deadline = time.monotonic() + patience
        for link, part in sent:
            # Its answers are there by now, but may be more than fits on the way.
            least = time.monotonic() + patience * _LEAST_SHARE
            self._receive(link, part, max(deadline, least))

    def _send(self, node: Node | None, part: Sequence[_Sending], *, changes: bool) -> Link:
        if node is None:
            raise StoreError(_NO_NODE)
        self._patience.check(node)
        started = time.monotonic()
        words = [words for sending in part for words in sending.words()]
        link = self._link(node)
        try:
            link.send(words, changes=changes)
        except StoreError:
            self._patience.lost(node, started)
            raise
        return link

    def _receive(self, link: Link, part: Sequence[_Sending], deadline: float) -> None:
        started = time.monotonic()
        answers = iter(link.receive(deadline))
        for sending in part:
            if sending.asking:
                next(answers)
            sending.reply = next(answers)
        if not link.is_connected:
            self._patience.lost(link.node, started)

    def _redirected(self, sendings: Sequence[_Sending]) -> list[_Sending]:
        """What was refused because it belongs to another node; nothing was changed by it."""
        again = [sending for sending in sendings if isinstance(sending.reply, AskError)]
        for sending in again:
            assert sending.node is not None  # it has answered
            reply = sending.reply
            sending.node = Node(reply.host or sending.node.host, reply.port)
            sending.asking = not isinstance(reply, MovedError)
            if not sending.asking:
                self._layout[sending.command.partition] = sending.node
                self._refresh_soon()
        return again

    def _link(self, node: Node) -> Link:
        if node not in self._links:
            self._links[node] = Link(node, self._access)
        return self._links[node]

    def _refresh_soon(self) -> None:
        self._refresh_at = min(self._refresh_at, time.monotonic() + _REFRESH_SECONDS)

    def _refresh_if_possible(self) -> None:
        """With no node to ask, the old layout is as good as any."""
        try:
            self._refresh()
        except StoreError:
            self._refresh_at = time.monotonic() + _REFRESH_SECONDS

    def _refresh(self) -> None:
        self._layout = _ask_for_layout([self._link(node) for node in self._known()], self._access)
        self._refresh_at = inf
        owners = set(self._layout)
        for node in self._links.keys() - owners:
            self._links.pop(node).close()
        self._patience.forget_others(owners)

    def _known(self) -> list[Node]:
        """All nodes that could tell the layout, those that answered lately in front."""
        nodes = dict.fromkeys((*self._links, *filter(None, self._layout), *self._seeds))
        awake = [node for node in nodes if not self._patience.is_away(node)]
        return sorted(awake, key=lambda node: not self._link(node).is_connected)


def servers_at(address: Address) -> Servers:
    """The only node of an address, or the cluster. Raises StoreError when no node of it answers."""
    if address.cluster:
        return Cluster(address.nodes, address.access)
    return SingleServer(address.nodes[0], address.access)


def _ask_for_layout(links: Sequence[Link], access: Access) -> _Layout:
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


def _layout(ranges: Reply, asked: Node) -> _Layout:
    """From `[first slot, last slot, [host, port, …], …]`; a node may leave out its own host."""
    layout: _Layout = [None] * len(PARTITION_SLOTS)
    for first, last, (host, port, *_), *_ in ranges:
        node = Node(host.decode() if host else asked.host, port)
        for partition, slot in enumerate(PARTITION_SLOTS):
            if first <= slot <= last:
                layout[partition] = node
    return layout
