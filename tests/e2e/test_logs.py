"""Ids of requests, and lines of the log that hold them and no payload."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.requests import apply_steps, new_session
from tests.redis_server import RedisServer, running
from tests.service_process import ServiceProcess, running_service

ROW = [[20.0, 1000.0, 0.5]]
SECRET = "a-value-that-no-log-may-hold"


@pytest.fixture(scope="module")
def logging_service(
    repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServiceProcess]:
    folder = tmp_path_factory.mktemp("logging")
    flags = ("--access-log", "true", "--log-level", "debug")
    with running_service(repository, "memory://", folder / "log", *flags) as service:
        yield service


@pytest.fixture
def logging_client(logging_service: ServiceProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=logging_service.url, timeout=30) as client:
        yield client


def lines_of(service: ServiceProcess, request_id: str) -> list[dict[str, Any]]:
    """What the log says of a request, as soon as it is answered."""
    deadline = time.monotonic() + 20
    while True:
        events = [json.loads(line) for line in service.log().splitlines()]
        found = [event for event in events if event.get("request_id") == request_id]
        if any(event["event"] in ("request", "websocket") for event in found):
            return found
        assert time.monotonic() < deadline, service.log()
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/sessions/unknown/steps"),
        ("POST", "/v1/steps"),
        ("GET", "/v1/models"),
        ("GET", "/nothing"),
    ],
)
def test_a_request_keeps_the_id_that_it_comes_with(
    client: httpx.Client, method: str, path: str
) -> None:
    given = "Az09._~+/=:@-" + "x" * 100
    answer = client.request(method, path, json={}, headers={"x-request-id": given})
    assert answer.headers.get_list("x-request-id") == [given]


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", 'a"b', "{}", b"\xe4\xff"])
def test_an_id_that_may_harm_is_replaced(client: httpx.Client, given: str | bytes) -> None:
    raw = given if isinstance(given, bytes) else given.encode()
    answer = client.get("/health/live", headers=[(b"x-request-id", raw)])
    assert answer.headers["x-request-id"] != raw.decode("latin-1")
    assert 8 < len(answer.headers["x-request-id"]) <= 40


def test_every_request_has_another_id(client: httpx.Client) -> None:
    session_id = new_session(client, "weather")
    ids = set()
    for _ in range(10):
        for path in (f"/v1/sessions/{session_id}/steps", "/v1/steps", "/v1/sessions"):
            ids.add(client.post(path, json={"inputs": ROW}).headers["x-request-id"])
    assert len(ids) == 30


def test_a_line_for_each_answer(
    logging_service: ServiceProcess, logging_client: httpx.Client
) -> None:
    session_id = new_session(logging_client, "weather")
    steps = f"/v1/sessions/{session_id}/steps"
    asked = [
        ("POST", steps, "/v1/sessions/{session_id}/steps", 200),
        ("POST", "/v1/steps", "/v1/steps", 422),
        ("GET", f"/v1/sessions/{session_id}?secret={SECRET}", "/v1/sessions/{session_id}", 200),
        ("GET", f"/{SECRET}", "unmatched", 404),
    ]
    for number, (method, path, route, status) in enumerate(asked):
        headers = {"x-request-id": f"line-{number}"}
        logging_client.request(method, path, json={"inputs": ROW}, headers=headers)
        line = lines_of(logging_service, f"line-{number}")[-1]
        assert 0 < line.pop("duration_seconds") < 30
        assert line.pop("timestamp").endswith("Z")
        assert line == {
            "event": "request",
            "level": "info",
            "request_id": f"line-{number}",
            "method": method,
            "route": route,
            "status": status,
        }


def test_no_line_holds_a_payload(
    logging_service: ServiceProcess, logging_client: httpx.Client
) -> None:
    """Not even those of the level debug, which say why something was refused."""
    number = "1234.56789"
    bodies = [
        f'{{"inputs": [[{number}, 2, 3]], "metadata": "{SECRET}"}}',
        f'{{"inputs": [[{number}, "{SECRET}"]]}}',
        f'{{"model": "weather", "metadata": {{"name": "{SECRET}"}}, "state": [{number}]}}',
        f'{{"inputs": [[{number}, {SECRET}',
    ]
    session_id = new_session(logging_client, "weather", metadata={"name": SECRET})
    paths = (f"/v1/sessions/{session_id}/steps", "/v1/sessions", "/v1/steps")
    for index, path in enumerate(paths * len(bodies)):
        logging_client.post(
            f"{path}?secret={SECRET}",
            content=bodies[index % len(bodies)],
            headers={"x-request-id": f"body-{index}", "idempotency-key": SECRET},
        )
        lines_of(logging_service, f"body-{index}")
    assert number not in logging_service.log()
    assert SECRET not in logging_service.log()


def test_answers_are_not_logged_unless_asked_for(
    service: ServiceProcess, client: httpx.Client
) -> None:
    apply_steps(client, new_session(client, "weather"), ROW)
    client.get("/v1/models")
    assert not service.events("request")


def test_a_failure_is_found_by_its_id(repository: Path, tmp_path: Path) -> None:
    server = RedisServer(tmp_path / "redis")
    with running(server), running_service(repository, server.url, tmp_path / "log") as service:
        with httpx.Client(base_url=service.url, timeout=20) as client:
            session_id = new_session(client, "weather")
            server.kill()
            steps = client.post(
                f"/v1/sessions/{session_id}/steps",
                json={"inputs": ROW},
                headers={"x-request-id": "lost-step"},
            )
            other = client.get(f"/v1/sessions/{session_id}")
        for answer in (steps, other):
            assert answer.status_code == 503
            found = [
                event
                for event in service.wait_for("request_refused", 2)
                if event.get("request_id") == answer.headers["x-request-id"]
            ]
            assert [event["code"] for event in found] == [answer.json()["code"]]
        assert steps.headers["x-request-id"] == "lost-step"
