"""Where sessions live, and what is left there when everything dies at once."""

import shutil
from pathlib import Path
from typing import Protocol

from service.stores.clock import RETENTION_SECONDS, Clocks
from service.stores.open import open_store
from service.stores.redis.address import parse
from service.stores.redis.cluster import Cluster
from service.stores.redis.servers import SingleServer
from service.stores.redis.store import RedisStore
from service.stores.store import Store
from tests.redis_server import RedisCluster, RedisServer
from tests.waiting import wait_until

PATIENCE = 5.0


class Place(Protocol):
    """A medium for stores, several at a time."""

    replicas: int
    survives: bool
    """Whether sessions outlive the stores."""
    shared: bool
    """Whether a crash leaves the stores themselves alive, so that they must go on."""

    mortality: int
    """One in so many histories has crashes, since it takes some places long to come back."""

    def clear(self) -> None:
        """Begin with nothing."""

    def open(self, clocks: Clocks) -> Store:
        """One more store in this place."""

    def crash(self) -> None:
        """Kill -9 whatever holds the sessions, and have it come back."""


class Memory:
    """Nothing survives, nothing is shared."""

    replicas = 1
    survives = False
    shared = False
    mortality = 3

    def clear(self) -> None:
        pass

    def open(self, clocks: Clocks) -> Store:
        return _opened("memory://", clocks)

    def crash(self) -> None:
        pass


class Sqlite:
    """A file; after a crash a copy of what was in it, so that no orderly close can have helped."""

    survives = True
    shared = False
    mortality = 1

    def __init__(self, folder: Path, replicas: int) -> None:
        self.replicas = replicas
        self._parent = folder
        self._number = 0

    def clear(self) -> None:
        self._next().mkdir()

    def open(self, clocks: Clocks) -> Store:
        return _opened(f"sqlite:///{self._folder / 'sessions.db'}", clocks)

    def crash(self) -> None:
        abandoned = self._folder
        self._next().mkdir()
        for file in (abandoned / "sessions.db", abandoned / "sessions.db-wal"):
            shutil.copy(file, self._folder)

    @property
    def _folder(self) -> Path:
        return self._parent / str(self._number)

    def _next(self) -> Path:
        self._number += 1
        return self._folder


class OneRedis:
    """A server that writes every change to its log before it answers."""

    replicas = 2
    survives = True
    shared = True
    mortality = 2

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        _write_at_once(server)

    def clear(self) -> None:
        self._server.ask("FLUSHALL")

    def open(self, clocks: Clocks) -> Store:
        return _opened_redis(self._server.url, clocks)

    def crash(self) -> None:
        self._server.restart()
        _write_at_once(self._server)


class RedisOfThree:
    """A cluster, of which one node after the other dies."""

    replicas = 2
    survives = True
    shared = True
    mortality = 6

    def __init__(self, cluster: RedisCluster) -> None:
        self._cluster = cluster
        self._next_victim = 0
        for node in cluster.nodes:
            _write_at_once(node)

    def clear(self) -> None:
        for node in self._cluster.nodes:
            node.ask("FLUSHALL")
        self._next_victim = 0

    def open(self, clocks: Clocks) -> Store:
        return _opened_redis(self._cluster.url, clocks)

    def crash(self) -> None:
        victim = self._cluster.nodes[self._next_victim % 3]
        self._next_victim += 1
        victim.restart()
        _write_at_once(victim)
        self._cluster.wait_until_whole()


def _opened(url: str, clocks: Clocks) -> Store:
    return open_store(
        url, "normal", retention_seconds=RETENTION_SECONDS, timeout_seconds=PATIENCE, clocks=clocks
    )


def _opened_redis(url: str, clocks: Clocks) -> Store:
    """With other clocks than its own, which `open_store` would let it have."""
    address = parse(url, PATIENCE)
    servers = (
        Cluster(address.nodes, address.access)
        if address.cluster
        else SingleServer(address.nodes[0], address.access)
    )
    return RedisStore(servers, RETENTION_SECONDS, clocks=clocks)


def _write_at_once(server: RedisServer) -> None:
    """With `everysec` Redis may put a write off, and answer, while an earlier one is flushed."""
    server.ask("CONFIG", "SET", "appendfsync", "no")
    wait_until(
        lambda: server.ask("CONFIG", "GET", "appendfsync")[1] == b"no",
        lambda: "no such setting",
    )
