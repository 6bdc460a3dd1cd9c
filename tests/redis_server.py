"""Real Redis processes on free ports: one, or a cluster of three."""

import os
import signal
import subprocess
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import copytree, rmtree
from typing import Any, Literal

from redis import Redis
from redis.crc import key_slot
from redis.exceptions import RedisError

from tests.service_process import free_port
from tests.system_programs import required
from tests.waiting import DEADLINE_SECONDS, wait_until

Answer = Any
"""What redis-py makes of an answer."""
_APPENDED = "appendonlydir"
_SLOTS = 16384
_FIRST_SLOTS = (0, 5461, 10922)


class RedisServer:
    """A Redis process with a folder of its own; `url` opens a store in it.

    It keeps its port and its folder over restarts. What it said is shown when it does not start.
    With `append_only`, what it confirmed survives `kill`: Redis writes before it answers, and what
    is written outlives the process. With `everysec` not quite, since Redis puts off writing while
    a flush is under way; with `always` every answer waits for the disk, a slow one for seconds.
    """

    def __init__(
        self,
        folder: Path,
        *,
        append_only: bool = False,
        append_fsync: Literal["always", "everysec", "no"] = "no",
        max_memory: str = "0",
        password: str | None = None,
        options: Sequence[str] = (),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.port = free_port()
        self._log = folder / "redis.log"
        self._password = password
        self._command = [
            *(required("redis-server"), "--port", str(self.port), "--bind", "127.0.0.1"),
            *("--dir", str(folder), "--logfile", str(self._log), "--save", ""),
            *("--appendonly", "yes" if append_only else "no", "--appendfsync", append_fsync),
            *("--maxmemory", max_memory),
            *(("--requirepass", password) if password else ()),
            *options,
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self.environment: dict[str, str] = {}
        """What it is started with besides this process's own, from the next start on."""

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        return self._running().pid

    def start(self) -> None:
        """Start, and wait until it answers and has loaded its data."""
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=os.environ | self.environment,
        )
        try:
            wait_until(self._answers, lambda: f"Redis did not start:\n{self.log()}")
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """kill -9, and wait until it is dead. Without effect when it is not running."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def terminate(self) -> None:
        """SIGTERM, and wait until it has gone."""
        process = self._running()
        process.terminate()
        process.wait(DEADLINE_SECONDS)
        self._process = None

    def restart(self) -> None:
        """kill -9 and start again on the same port, with what is in the folder."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """SIGSTOP: connections stay open, nothing is answered."""
        self._running().send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT: what has come in meanwhile is worked off."""
        self._running().send_signal(signal.SIGCONT)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Frozen for as long as the block lasts."""
        self.freeze()
        try:
            yield
        finally:
            self.thaw()

    def ask(self, *words: str | bytes | float) -> Answer:
        """The answer to one command, over a connection of its own."""
        with Redis(
            port=self.port, password=self._password, socket_timeout=DEADLINE_SECONDS, protocol=2
        ) as client:
            return client.execute_command(*words)

    def copy_data(self, copy: Path) -> None:
        """A copy of what it has written down, as of one moment; it needs `append_only`."""
        with self.frozen():
            copytree(self._folder / _APPENDED, copy)

    def put_back(self, copy: Path) -> None:
        """Begin with a copy at the next start. It must not be running."""
        rmtree(self._folder / _APPENDED)
        copytree(copy, self._folder / _APPENDED)

    def log(self) -> str:
        """Everything that the server has said."""
        return self._log.read_text("utf-8", "replace") if self._log.exists() else ""

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "Redis is not running"
        return self._process

    def _answers(self) -> bool:
        assert self._running().poll() is None, f"Redis has gone:\n{self.log()}"
        try:
            return bool(self.ask("PING"))
        except RedisError:
            return False


class RedisCluster:
    """Three masters without replicas; `url` opens a store in it.

    While one is down, the others go on with their slots (cluster-require-full-coverage no).
    """

    def __init__(self, folder: Path, *, append_only: bool = False) -> None:
        self._bus_ports = [free_port() for _ in _FIRST_SLOTS]
        self.nodes = [
            RedisServer(
                folder / f"node-{number}",
                append_only=append_only,
                options=(
                    *("--cluster-enabled", "yes", "--cluster-require-full-coverage", "no"),
                    *("--cluster-node-timeout", "1000", "--cluster-port", str(bus_port)),
                ),
            )
            for number, bus_port in enumerate(self._bus_ports)
        ]

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        return f"redis-cluster://{hosts}"

    def start(self) -> None:
        """Start all, give each a third of the slots, and wait until every node knows it."""
        for number, node in enumerate(self.nodes):
            node.start()
            last = (*_FIRST_SLOTS, _SLOTS)[number + 1] - 1
            node.ask("CLUSTER", "ADDSLOTSRANGE", _FIRST_SLOTS[number], last)
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            if number > 0:
                first = (self.nodes[0].port, self._bus_ports[0])
                node.ask("CLUSTER", "MEET", "127.0.0.1", *first)
        self.wait_until_whole()

    def wait_until_whole(self) -> None:
        """Until every node sees all slots served, as after a node came back."""
        wait_until(
            lambda: all(map(_sees_all, self.nodes)), lambda: "the cluster did not become whole"
        )

    def owner(self, key: bytes) -> RedisServer:
        """The node that has this key."""
        return self.nodes[bisect_right(_FIRST_SLOTS, key_slot(key)) - 1]

    def kill(self) -> None:
        """kill -9 all."""
        for node in self.nodes:
            node.kill()


@contextmanager
def running(server: RedisServer | RedisCluster) -> Iterator[None]:
    """Started, and gone when the block ends, however it ends."""
    try:
        server.start()
        yield
    finally:
        server.kill()


def _sees_all(node: RedisServer) -> bool:
    info: bytes = node.ask("CLUSTER", "INFO")
    known = {b"cluster_state:ok", b"cluster_slots_ok:16384", b"cluster_known_nodes:3"}
    return known <= set(info.splitlines())
