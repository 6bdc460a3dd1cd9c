"""A replica that hangs with a request and wakes up long after others have gone on."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.e2e.requests import new_session, weather_inputs
from tests.redis_server import RedisServer, running
from tests.service_process import ServiceProcess, running_service

STEP = {"inputs": weather_inputs(1)}


@pytest.fixture(params=["sqlite", "redis"])
def replicas(
    request: pytest.FixtureRequest, repository: Path, tmp_path: Path
) -> Iterator[tuple[ServiceProcess, ServiceProcess]]:
    """Two services on one store."""
    with ExitStack() as stack:
        store = f"sqlite:///{tmp_path / 'sessions.db'}"
        if request.param == "redis":
            server = RedisServer(tmp_path / "redis")
            stack.enter_context(running(server))
            store = server.url
        first, second = (
            stack.enter_context(running_service(repository, store, tmp_path / f"{name}.log"))
            for name in ("first", "second")
        )
        yield first, second


def send(service: ServiceProcess, session_id: str, key: str) -> socket.socket:
    """A keyed step on its way to a service, which may take it whenever it likes."""
    body = json.dumps(STEP).encode()
    head = (
        f"POST /v1/sessions/{session_id}/steps HTTP/1.1\r\nHost: service\r\nConnection: close\r\n"
        f"Idempotency-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    connection = socket.create_connection(("127.0.0.1", service.port), timeout=30)
    connection.sendall(head.encode() + body)
    return connection


def answer_of(connection: socket.socket) -> tuple[int, dict[str, object]]:
    with connection:
        received = b""
        while part := connection.recv(65536):
            received += part
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


@pytest.mark.parametrize("newer", [3, 9, 30])
def test_a_numbered_request_that_hung_is_not_applied_again(
    replicas: tuple[ServiceProcess, ServiceProcess], newer: int
) -> None:
    hanging, other = replicas
    with httpx.Client(base_url=other.url, timeout=30) as client:
        session_id = new_session(client, "weather")
        path = f"/v1/sessions/{session_id}"

        def step(number: int) -> httpx.Response:
            key = {"idempotency-key": f"gateway-1:{number}"}
            return client.post(f"{path}/steps", json=STEP, headers=key)

        assert step(1).json()["step"] == 1
        os.kill(hanging.pid, signal.SIGSTOP)
        try:
            late = send(hanging, session_id, "gateway-1:2")
            applied = step(2)
            assert applied.json()["step"] == 2
            for number in range(3, 3 + newer):
                assert step(number).json()["step"] == number
        finally:
            os.kill(hanging.pid, signal.SIGCONT)
        status, answered = answer_of(late)
        if newer < 8:
            assert (status, answered) == (200, applied.json())
        else:
            assert (status, answered["code"]) == (409, "answer_not_kept")
        assert client.get(path).json()["step"] == 2 + newer
