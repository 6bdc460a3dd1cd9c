"""Redis comes back from an older file, and somebody who cannot know steps a session first."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest
from redis import Redis

from tests.e2e.requests import new_session, weather_inputs
from tests.redis_server import RedisServer, running
from tests.service_process import running_service
from tests.waiting import is_ready, wait_until

STEP = {"inputs": weather_inputs(1)}


@dataclass
class Ground:
    """Two services on one Redis, whose file can be kept and put back."""

    server: RedisServer
    clients: list[httpx.Client]
    folder: Path

    def keep(self) -> None:
        with Redis.from_url(self.server.url) as redis:
            redis.save()
        shutil.copy(self.folder / "dump.rdb", self.folder / "older.rdb")

    def go_back(self) -> None:
        self.server.kill()
        shutil.copy(self.folder / "older.rdb", self.folder / "dump.rdb")
        self.server.start()
        for client in self.clients:
            wait_until(partial(is_ready, str(client.base_url)), lambda: "a service is not ready")

    def step(self, service: int, session_id: str, key: str | None = None) -> httpx.Response:
        path = f"/v1/sessions/{session_id}/steps"
        headers = {} if key is None else {"idempotency-key": key}
        return self.clients[service].post(path, json=STEP, headers=headers)


@pytest.fixture
def ground(repository: Path, tmp_path: Path) -> Iterator[Ground]:
    with ExitStack() as stack:
        server = RedisServer(tmp_path / "redis")
        stack.enter_context(running(server))
        clients = []
        for name in ("first", "second"):
            log = tmp_path / f"{name}.log"
            service = stack.enter_context(running_service(repository, server.url, log))
            clients.append(stack.enter_context(httpx.Client(base_url=service.url, timeout=30)))
        yield Ground(server, clients, tmp_path / "redis")


def test_a_step_that_was_answered_since_is_not_replaced(ground: Ground) -> None:
    session_id = new_session(ground.clients[0], "weather")
    ground.step(0, session_id)
    ground.keep()
    ground.step(0, session_id)
    ground.go_back()
    # The second service has no copy: it cannot know, and goes on.
    since = ground.step(1, session_id, key="since")
    assert since.json()["step"] == 2
    # The first one's copy is of another step 2. It neither replaces nor repeats the other one.
    assert ground.step(0, session_id).json()["code"] == "session_fell_back"
    again = ground.step(0, session_id, key="since")
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == since.json()
    assert ground.clients[0].get(f"/v1/sessions/{session_id}").json()["step"] == 2
