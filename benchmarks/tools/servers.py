"""Servers to measure, each with all its processes on the first core where nothing else is said."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import httpx

from benchmarks.tools.cores import SERVER_CORE, pinned
from tests.service_process import free_port

START_DEADLINE_SECONDS = 60.0
STOP_DEADLINE_SECONDS = 30.0


class Server:
    """A running process that listens at `url`. As a context it stops when the block ends."""

    def __init__(
        self,
        command: list[str],
        port: int,
        environment: Mapping[str, str] | None = None,
        cores: Sequence[int] = (SERVER_CORE,),
    ) -> None:
        """Start it and wait until it listens. Raises RuntimeError when it does not."""
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        with tempfile.TemporaryFile() as log:
            # A session of its own, so that what it starts can be stopped with it.
            self._process = subprocess.Popen(
                [*pinned(*cores), *command],
                stdout=log,
                stderr=log,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
            try:
                self._wait(log)
            except BaseException:
                self.stop()
                raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        """End it by SIGTERM, then whatever is left of its processes by SIGKILL."""
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=STOP_DEADLINE_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _wait(self, log: IO[bytes]) -> None:
        deadline = time.monotonic() + START_DEADLINE_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                httpx.get(self.url)
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                return
        log.seek(0)
        said = log.read().decode(errors="replace")[-2000:]
        raise RuntimeError(f"{self.url} did not start: {said}")


def gatewise(
    repository: Path, store: str, *flags: str, cores: Sequence[int] = (SERVER_CORE,)
) -> Server:
    """The service on a repository, with one process where the flags ask for no more."""
    port = free_port()
    command = [sys.executable, "-m", "service", "--repository", str(repository), "--store", store]
    command += ["--port", str(port), "--drain-seconds", "0", *flags]
    return Server(command, port, cores=cores)


def uvicorn_app(app: str, *flags: str) -> Server:
    """Any ASGI app on the same server with the same settings."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", app, "--port", str(port), *flags]
    command += ["--no-access-log", "--log-level", "error", "--no-proxy-headers"]
    return Server([*command, "--no-server-header"], port)
