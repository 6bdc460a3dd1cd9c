"""The real service as a process of its own, on a free port."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

START_DEADLINE_SECONDS = 60.0
ANSWER_DEADLINE_SECONDS = 60.0
LOG_DEADLINE_SECONDS = 20.0


class ServiceProcess:
    """A started service; `url` answers. Its log goes to a file, shown when it fails to start.

    It stops without a drain, unless the flags ask for one.
    """

    def __init__(
        self,
        repository: Path,
        store: str,
        log: Path,
        *flags: str,
        before: Sequence[str] = (),
        module: str = "service",
    ) -> None:
        """`before` are the words of a program that runs the service, in front of its own."""
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = log
        with log.open("ab") as sink:
            self._process = subprocess.Popen(
                [
                    *(*before, sys.executable, "-m", module),
                    *("--repository", str(repository), "--store", store),
                    *("--port", str(self.port)),
                    *(flags if "--drain-seconds" in flags else ("--drain-seconds", "0", *flags)),
                ],
                stdout=sink,
                stderr=sink,
            )
        self._wait_until_ready()
        self.processor_seconds_to_ready = self._processor_seconds()

    @property
    def pid(self) -> int:
        return self._process.pid

    def log(self) -> str:
        """Everything that the service has printed."""
        return self._log.read_text("utf-8")

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log's events of one name, in order."""
        # The last line may be half written.
        written = self.log().rpartition("\n")[0]
        lines = (line for line in written.splitlines() if line.startswith("{"))
        return [event for event in map(json.loads, lines) if event["event"] == name]

    def wait_for(self, name: str, count: int = 1) -> list[dict[str, Any]]:
        """The events of one name, as soon as there are so many."""
        deadline = time.monotonic() + LOG_DEADLINE_SECONDS
        while len(found := self.events(name)) < count:
            assert time.monotonic() < deadline, f"no {name} in the log:\n{self.log()}"
            time.sleep(0.01)
        return found

    def kill(self) -> None:
        """kill -9, and wait until it is dead."""
        self._process.kill()
        self._process.wait()

    def terminate(self) -> None:
        """SIGTERM, without waiting."""
        self._process.terminate()

    def interrupt(self) -> None:
        """SIGINT, without waiting."""
        self._process.send_signal(signal.SIGINT)

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        self.terminate()
        return self.wait()

    def wait(self) -> int:
        """The exit status, as soon as there is one."""
        return self._process.wait(timeout=20)

    def _processor_seconds(self) -> float:
        """What it has used so far, whatever else the machine is busy with."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _wait_until_ready(self) -> None:
        started = time.monotonic()
        while time.monotonic() - started < START_DEADLINE_SECONDS:
            if self._process.poll() is not None:
                break
            try:
                if httpx.get(f"{self.url}/health/ready").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.01)
        self._process.kill()
        self._process.wait()
        raise AssertionError(f"the service did not become ready:\n{self.log()}")


@contextmanager
def running_service(
    repository: Path,
    store: str,
    log: Path,
    *flags: str,
    before: Sequence[str] = (),
    module: str = "service",
) -> Iterator[ServiceProcess]:
    """A service that is gone when the block ends, however it ends."""
    service = ServiceProcess(repository, store, log, *flags, before=before, module=module)
    try:
        yield service
    finally:
        service.kill()


def refused_start(*flags: str) -> str:
    """Start a service that cannot start; returns the one line that it says, without its events."""
    ended = subprocess.run(
        [sys.executable, "-m", "service", *flags],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    said = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    assert ended.returncode != 0
    assert ended.stdout == ""
    assert len(said) == 1, ended.stderr
    return said[0]


def client_of(url: str) -> httpx.Client:
    """One that waits for an answer for as long as a busy machine may need."""
    return httpx.Client(base_url=url, timeout=ANSWER_DEADLINE_SECONDS)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
