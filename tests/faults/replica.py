"""One service that is killed and comes back on its port."""

import asyncio
import random
import signal
import socket
import subprocess
import sys
from pathlib import Path

from tests.faults.http_connection import HOST, opened

DEADLINE_SECONDS = 30.0
_POLL_SECONDS = 0.02
_READY = f"GET /health/ready HTTP/1.1\r\nhost: {HOST}\r\n\r\n".encode()
_LOG_SHOWN = 3000
_REFUSED = '"event":"request_refused"'


class Replica:
    """`python -m service` with the given flags; every start on the same port."""

    def __init__(self, log: Path, *flags: str) -> None:
        self.port = quiet_port()
        self.lock = asyncio.Lock()
        """Held by the fault that is at work on it."""
        self.early_ends = 0
        """How often it ended before it was ready, as it does where its store cannot be reached."""
        self._log = log
        self._command = [sys.executable, "-m", "service", "--port", str(self.port), *flags]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        return self._running().pid

    def living_pid(self) -> int:
        """Fails where it has ended by itself."""
        assert self._running().poll() is None, f"the service has ended:\n{self.log()}"
        return self.pid

    async def start(self) -> None:
        """Start it again and again until it is ready, as an orchestrator would."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                self._spawn()
                if await self._becomes_ready():
                    return
                self.early_ends += 1

    def kill(self) -> None:
        """kill -9, and wait until it is dead. Without effect when it is not running."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def stop(self) -> None:
        """SIGTERM; it has to end by itself, with status 0."""
        process = self._running()
        process.send_signal(signal.SIGTERM)
        status = await asyncio.to_thread(process.wait, DEADLINE_SECONDS)
        assert status == 0, f"status {status} after SIGTERM:\n{self.log()}"
        self._process = None

    def freeze(self) -> None:
        self._running().send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._running().send_signal(signal.SIGCONT)

    def log(self) -> str:
        """The end of what it has said, without what the clients have counted."""
        lines = self._log.read_text("utf-8", "replace").splitlines()
        return "\n".join(line for line in lines if _REFUSED not in line)[-_LOG_SHOWN:]

    def _spawn(self) -> None:
        self.kill()
        with self._log.open("ab") as sink:
            self._process = subprocess.Popen(self._command, stdout=sink, stderr=sink)

    async def _becomes_ready(self) -> bool:
        while self._running().poll() is None:
            try:
                async with asyncio.timeout(1), opened(self.port) as connection:
                    answer = await connection.exchange(_READY)
                # Not ready with a store that fails is as ready as it gets for now.
                if answer.status in (200, 503):
                    return True
            except (OSError, EOFError, TimeoutError):
                pass
            await asyncio.sleep(_POLL_SECONDS)
        return False

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the service is not running"
        return self._process


def quiet_port() -> int:
    """A free port that the system gives to nobody by itself.

    Otherwise a connection of somebody else could take the port while its owner is dead, even the
    very connection that looks for the owner: it would then talk to itself.
    """
    given_out = Path("/proc/sys/net/ipv4/ip_local_port_range")
    lowest = int(given_out.read_text().split()[0]) if given_out.exists() else 32768
    while True:
        port = random.randrange(10_000, lowest)
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
