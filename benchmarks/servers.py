"""Servers to measure, each a process of its own on the first core."""

import subprocess
import sys
import time
from pathlib import Path

import httpx

from tests.service_process import free_port

SERVER_CORE = "0"
START_DEADLINE_SECONDS = 20.0


class Server:
    """A running process that listens at `url`."""

    def __init__(self, command: list[str], port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._process = subprocess.Popen(
            ["taskset", "--cpu-list", SERVER_CORE, *command],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=20)

    def _wait(self) -> None:
        deadline = time.monotonic() + START_DEADLINE_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                httpx.get(self.url)
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError(f"{self.url} did not start")


def gatewise(repository: Path, store: str) -> Server:
    """The service with one process on a repository."""
    port = free_port()
    flags = ["--repository", str(repository), "--store", store, "--port", str(port)]
    return Server([sys.executable, "-m", "service", *flags], port)


def uvicorn_app(app: str) -> Server:
    """Any ASGI app on the same server with the same settings."""
    port = free_port()
    flags = ["--port", str(port), "--no-access-log", "--log-level", "error"]
    return Server([sys.executable, "-m", "uvicorn", app, *flags], port)
