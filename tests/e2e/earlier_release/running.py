"""A service of this release on a copy of what the earlier one left."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import copy
from typing import Any

import httpx
from websockets.sync.client import ClientConnection

from tests.e2e.streams import open_stream
from tests.redis_server import RedisServer, running
from tests.service_process import client_of, running_service

LEFT = Path(__file__).parent


@dataclass(frozen=True)
class Earlier:
    """A client and a socket of the service; `left` says what the earlier release had done."""

    store: str
    client: httpx.Client
    socket: ClientConnection
    left: dict[str, Any]

    def finish_upgrade(self) -> str:
        """As an operator does; what the command says."""
        return finish_upgrade(self.store)


@contextmanager
def on_sqlite(repository: Path, folder: Path) -> Iterator[Earlier]:
    """The file is migrated when the service opens it."""
    file = Path(copy(LEFT / "sessions.sqlite", folder))
    with _serving(repository, f"sqlite:///{file}", folder, "sessions.json") as earlier:
        yield earlier


@contextmanager
def on_redis(repository: Path, folder: Path, *, finished: bool) -> Iterator[Earlier]:
    """The earlier release's format is written for as long as the upgrade is not `finished`."""
    server = RedisServer(folder)
    copy(LEFT / "dump.rdb", folder)
    with running(server):
        if finished:
            finish_upgrade(server.url)
        with _serving(repository, server.url, folder, "dump.json") as earlier:
            yield earlier


@contextmanager
def _serving(repository: Path, store: str, folder: Path, left: str) -> Iterator[Earlier]:
    with (
        running_service(repository, store, folder / "log") as service,
        client_of(service.url) as client,
        open_stream(service) as socket,
    ):
        yield Earlier(store, client, socket, json.loads((LEFT / left).read_text("utf-8")))


def finish_upgrade(store: str) -> str:
    """Run the command; what it says."""
    command = (sys.executable, "-m", "service", "store", "finish-upgrade", "--store", store)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
