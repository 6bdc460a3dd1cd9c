"""Redis comes back from an older file while two services have served newer states."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from redis import Redis

from tests.e2e.requests import new_session, weather_inputs
from tests.redis_server import RedisServer, running
from tests.service_process import running_service
from tests.waiting import wait_until

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
            wait_until(
                lambda client=client: client.get("/health/ready").status_code == 200,  # type: ignore[misc]
                lambda: "the service is not ready",
            )

    def step(self, service: int, session_id: str, **headers: str) -> httpx.Response:
        return self.post(service, session_id, STEP, **headers)

    def post(self, service: int, session_id: str, body: object, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        path = f"/v1/sessions/{session_id}/steps"
        return self.clients[service].post(path, json=body, headers=named)


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


def test_nothing_goes_on_from_an_older_state_unless_its_client_says_so(ground: Ground) -> None:
    session_id = new_session(ground.clients[0], "weather")
    for number in range(1, 4):
        assert ground.step(0, session_id, idempotency_key=f"w:{number}").status_code == 200
    ground.keep()
    for number in range(4, 9):
        assert ground.step(0, session_id, idempotency_key=f"w:{number}").status_code == 200
    ground.go_back()

    # The first service has a copy of step 8; what is pipelined behind the first refusal is refused.
    refused = [ground.step(0, session_id, idempotency_key=f"w:{number}") for number in (9, 10)]
    refused += [ground.step(1, session_id), ground.step(0, session_id)]
    for answer in refused:
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (409, "session_fell_back"), problem
        assert (problem["step"], problem["lost_step"]) == (3, 8)
    shown = ground.clients[1].get(f"/v1/sessions/{session_id}").json()
    assert (shown["step"], shown["fell_back_from"]) == (3, 8)

    # A retry whose receipt is there is answered; one that was lost is not applied by itself.
    kept = ground.step(1, session_id, idempotency_key="w:3")
    assert kept.headers["idempotent-replayed"] == "true"
    lost = ground.step(1, session_id, idempotency_key="w:5")
    assert lost.json()["code"] == "session_fell_back"

    # The client sends again what the store has lost, and says from where.
    for number in range(4, 9):
        body = STEP | {"at": number - 1}
        answer = ground.post(number % 2, session_id, body, idempotency_key=f"w:{number}")
        assert answer.json()["step"] == number
    assert ground.step(0, session_id, idempotency_key="w:9").json()["step"] == 9


def test_a_step_that_was_answered_since_is_not_replaced(ground: Ground) -> None:
    session_id = new_session(ground.clients[0], "weather")
    ground.step(0, session_id)
    ground.keep()
    ground.step(0, session_id)
    ground.go_back()
    # The second service has no copy: it cannot know, and goes on.
    since = ground.step(1, session_id, idempotency_key="since")
    assert since.json()["step"] == 2
    # The first one's copy is of another step 2. It neither replaces nor repeats the other one.
    assert ground.step(0, session_id).json()["code"] == "session_fell_back"
    again = ground.step(0, session_id, idempotency_key="since")
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == since.json()
    assert ground.clients[0].get(f"/v1/sessions/{session_id}").json()["step"] == 2
