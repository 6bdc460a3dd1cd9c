"""Killed, terminated, started again: what was answered stays, and the numbers go on."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.requests import apply_steps, inputs_for, new_session, state_of
from tests.service_process import ServiceProcess, client_of, running_service
from tests.waiting import wait_until

MODELS = ["weather-deep", "letters"]


@pytest.mark.parametrize("durability", ["normal", "full"])
def test_kill_9_between_steps_changes_no_bit(
    repository: Path, client: httpx.Client, tmp_path: Path, durability: str
) -> None:
    calls = [1, 5, 1]
    expected = {model: _play(client, new_session(client, model), model, calls) for model in MODELS}
    store, log = f"sqlite:///{tmp_path / 'sessions.db'}", tmp_path / "log"
    found: dict[str, list[Any]] = {model: [] for model in MODELS}
    sessions: dict[str, str] = {}
    for index in range(len(calls)):
        with running_service(repository, store, log, "--durability", durability) as service:
            for model in MODELS:
                with client_of(service.url) as ours:
                    if model not in sessions:
                        sessions[model] = new_session(ours, model)
                    found[model] += _play(ours, sessions[model], model, calls, only=index)
            service.kill()
    assert found == expected


def _play(
    client: httpx.Client, session_id: str, model: str, calls: list[int], only: int | None = None
) -> list[Any]:
    """Apply the calls (or one of them); everything that was answered, states included."""
    inputs = inputs_for(model, sum(calls))
    answers = []
    for index, time in enumerate(calls):
        if only in (None, index):
            start = sum(calls[:index])
            answer = apply_steps(client, session_id, inputs[start : start + time], gates=True)
            state = state_of(client, session_id)
            answers.append((answer["step"], answer["outputs"], answer["gates"], state["state"]))
    return answers


def test_kill_9_under_load_loses_no_answered_step(repository: Path, tmp_path: Path) -> None:
    """Clients count their answers until the connection breaks: at most one step was unanswered."""
    store, log = f"sqlite:///{tmp_path / 'sessions.db'}", tmp_path / "log"
    with running_service(repository, store, log) as service:
        with client_of(service.url) as client:
            sessions = [new_session(client, "weather") for _ in range(6)]
        with ThreadPoolExecutor(len(sessions)) as clients:
            counting = [clients.submit(_step_until_it_breaks, service, one) for one in sessions]
            for session_id in sessions:
                _wait_until_stepped(service, session_id, 5)
            service.kill()
            answered = [count.result() for count in counting]
    with (
        running_service(repository, store, log) as service,
        client_of(service.url) as client,
    ):
        stored = [state_of(client, session_id)["step"] for session_id in sessions]
    assert min(answered) > 0
    for kept, count in zip(stored, answered, strict=True):
        assert kept in (count, count + 1)


def _step_until_it_breaks(service: ServiceProcess, session_id: str) -> int:
    with client_of(service.url) as client:
        for count in range(1_000_000):
            try:
                apply_steps(client, session_id, [[20, 1000, 0.5]])
            except httpx.TransportError:
                return count
    raise AssertionError("the service was never killed")


def _wait_until_stepped(service: ServiceProcess, session_id: str, step: int) -> None:
    with client_of(service.url) as client:
        wait_until(lambda: state_of(client, session_id)["step"] >= step, service.log, seconds=20)


def test_sigterm_finishes_what_is_under_way_and_exits_0(repository: Path, tmp_path: Path) -> None:
    store, log = f"sqlite:///{tmp_path / 'sessions.db'}", tmp_path / "log"
    with running_service(repository, store, log) as service:
        with client_of(service.url) as client:
            session_id = new_session(client, "weather")
        with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
            send_half_a_request(connection, session_id)
            service.terminate()
            connection.sendall(BODY)
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        assert b" 200 OK" in answer.split(b"\r\n")[0]
        assert json.loads(answer.split(b"\r\n\r\n")[1])["step"] == 1
        assert service.wait() == 0
        assert "Traceback" not in service.log()
    with (
        running_service(repository, store, log) as service,
        client_of(service.url) as client,
    ):
        assert state_of(client, session_id)["step"] == 1


BODY = b'{"inputs": [[20, 1000, 0.5]]}'


def send_half_a_request(connection: socket.socket, session_id: str) -> None:
    """Send the headers and wait for `100 Continue`: the service is at work on the request."""
    connection.sendall(
        f"POST /v1/sessions/{session_id}/steps HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Length: {len(BODY)}\r\nExpect: 100-continue\r\n\r\n".encode()
    )
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(1024)
    assert received.startswith(b"HTTP/1.1 100 ")


def test_an_idle_service_stops_at_once_with_status_0(repository: Path, tmp_path: Path) -> None:
    with running_service(repository, "memory://", tmp_path / "log") as service:
        assert service.stop() == 0
