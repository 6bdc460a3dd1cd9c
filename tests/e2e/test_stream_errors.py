"""WS /v1/stream: whatever is wrong is answered as HTTP would, and the socket goes on."""

import json
import os
import socket as sockets
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from service.edges.v1.stream.window import MAX_UNANSWERED
from tests import raw_websocket
from tests.e2e.conftest import MAX_BODY_BYTES
from tests.e2e.requests import new_session, weather_inputs
from tests.e2e.streams import ask, block, open_stream, opened, receive, records
from tests.raw_websocket import TEXT, client_frame, payloads
from tests.service_process import ServiceProcess, running_service

ROW = [20.0, 1000.0, 0.5]


@pytest.mark.parametrize(
    ("message", "code", "path"),
    [
        ("{", "malformed_body", "$"),
        ("[]", "malformed_body", "$"),
        ("{}", "invalid_input", "$.type"),
        ('{"type": ["step"], "id": 3}', "invalid_input", "$.type"),
        ('{"type": "step", "id": 3}', "invalid_input", "$.session_id"),
        ('{"type": "get", "id": 3, "session_id": "a", "more": 1}', "invalid_input", "$.more"),
        ('{"type": "get", "id": true, "session_id": "a"}', "invalid_input", "$.id"),
        ('{"type": "open", "id": 3}', "invalid_input", "$"),
        ('{"type": "open", "session_id": "a", "ttl_seconds": 9}', "invalid_input", "$"),
        ('{"type": "open", "model": "weather", "state": [1]}', "invalid_input", "$.state"),
        ('{"type": "open", "model": "nothing"}', "model_not_found", None),
        ('{"type": "get", "session_id": "never-seen"}', "session_not_found", None),
        ('{"type": "fork", "session_id": "never-seen"}', "session_not_found", None),
        (
            '{"type": "close", "session_id": "never-seen", "delete": true}',
            "session_not_found",
            None,
        ),
    ],
)
def test_a_message_that_cannot_be_used(
    service: ServiceProcess, message: str, code: str, path: str | None
) -> None:
    with open_stream(service) as socket:
        socket.send(message)
        answer = receive(socket)
        assert (answer["type"], answer["problem"]["code"]) == ("error", code)
        assert answer.get("id") == (3 if '"id": 3' in message else None)
        if path is not None:
            assert answer["problem"]["errors"][0]["path"] == path
        assert ask(socket, "open", model="weather")["type"] == "open"


STEPS: list[tuple[dict[str, Any], str]] = [
    ({"inputs": [[1, 2]]}, "invalid_input"),
    ({"inputs": [ROW, [1, True, 3]]}, "invalid_input"),
    ({"inputs": []}, "invalid_input"),
    ({"inputs": [ROW], "gates": {"units": [99]}}, "invalid_input"),
    ({"inputs": [ROW], "at": 9}, "step_conflict"),
]


@pytest.mark.parametrize(("body", "code"), STEPS)
def test_problems_are_those_of_http(
    service: ServiceProcess, client: httpx.Client, body: dict[str, Any], code: str
) -> None:
    session_id = new_session(client, "weather")
    answered = client.post(f"/v1/sessions/{session_id}/steps", json=body)
    with open_stream(service) as socket:
        opened(socket, session_id=session_id)
        answer = ask(socket, "step", id=1, session_id=session_id, **body)
    problem = answer.pop("problem")
    assert answer == {"type": "error", "id": 1, "session_id": session_id}
    assert problem["code"] == code
    if "etag" in answered.headers:
        assert problem.pop("etag") == answered.headers["etag"]
    assert problem == answered.json()
    assert client.get(f"/v1/sessions/{session_id}").json()["step"] == 0


def test_one_bad_record_concerns_no_other(service: ServiceProcess) -> None:
    inputs = np.array([[ROW, ROW]] * 5, np.float32)
    inputs[1, 1, 2] = np.nan
    with open_stream(service) as socket:
        _, first = opened(socket, model="weather")
        _, second = opened(socket, model="weather")
        socket.send(block(inputs, [first, second, 99, first, second], range(5), at=[0, 0, 0, 1, 0]))
        found = {record.id: record for record in records(socket, 5)}
    assert [found[number].step for number in range(5)] == [2, 0, 0, 0, 2]
    problems = {number: record.problem for number, record in found.items() if record.problem}
    assert problems[1]["errors"] == [
        {
            "path": "$.inputs[1][2]",
            "message": "expected a number: this model was trained without missing values",
        }
    ]
    assert problems[2]["errors"][0]["path"] == "$.handle"
    assert (problems[3]["code"], problems[3]["step"]) == ("step_conflict", 2)
    assert sorted(problems) == [1, 2, 3]


@pytest.mark.parametrize(
    ("model", "inputs", "path"),
    [
        ("weather", np.ones((1, 1, 2), np.float32), "$.inputs[0]"),
        ("weather", np.ones((1, 1), np.int64), "$.inputs"),
        ("weather", np.full((1, 1, 3), -np.inf, np.float32), "$.inputs[0][0]"),
        ("letters", np.ones((1, 1, 1), np.float32), "$.inputs"),
        ("letters", np.array([[0, 10]]), "$.inputs[1]"),
        ("letters", np.array([[-1]]), "$.inputs[0]"),
    ],
)
def test_a_record_that_does_not_fit_the_model(
    service: ServiceProcess, model: str, inputs: NDArray[Any], path: str
) -> None:
    with open_stream(service) as socket:
        _, handle = opened(socket, model=model)
        socket.send(block(inputs, [handle], [5]))
        [record] = records(socket, 1)
    assert record.id == 5
    assert record.problem is not None
    assert record.problem["code"] == "invalid_input"
    assert record.problem["errors"][0]["path"] == path


def _malformed() -> list[bytes]:
    good = block(np.array([[ROW]], np.float32), [1], [1])
    return [
        b"",
        good[:20],
        good[:-8],
        good + b"\1",
        b"\2" + good[1:],
        good[:1] + b"\20" + good[2:],
        good[:2] + b"\1" + good[3:],
        good[:8] + bytes(4) + good[12:],
        good[:8] + b"\xff" * 12 + good[20:],
        good[:4] + b"\xff" * 4 + good[8:],
        good + good[:-1],
    ]


@pytest.mark.parametrize("number", range(len(_malformed())))
def test_a_frame_that_cannot_be_read_is_refused_as_a_whole(
    service: ServiceProcess, number: int
) -> None:
    with open_stream(service) as socket:
        session_id, _ = opened(socket, model="weather")
        socket.send(_malformed()[number])
        [record] = records(socket, 1)
        assert (record.id, record.handle) == (0, 0)
        assert record.problem is not None
        assert record.problem["code"] == "malformed_body"
        assert record.problem["errors"][0]["path"].startswith("byte ")
        assert ask(socket, "get", session_id=session_id)["step"] == 0


def test_a_frame_that_is_too_long_ends_the_socket(service: ServiceProcess) -> None:
    with open_stream(service) as socket:
        socket.send(bytes(MAX_BODY_BYTES + 1))
        with pytest.raises(ConnectionClosedError) as closed:
            socket.recv(timeout=20)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


def test_more_numbers_than_are_allowed(repository: Path, tmp_path: Path) -> None:
    """The same bound as for HTTP; what is smaller waits for room instead."""
    with (
        running_service(
            repository, "memory://", tmp_path / "log", "--max-numbers", "100"
        ) as service,
        open_stream(service) as socket,
    ):
        _, handle = opened(socket, model="weather")
        many = np.array([weather_inputs(12)], np.float32)
        socket.send(block(many, [handle], [1]))
        some = np.array([weather_inputs(11)] * 30, np.float32)
        socket.send(block(some, [handle] * 30, range(30)))
        found = records(socket, 31)
    assert found[0].problem is not None
    assert "at most 100 are allowed" in found[0].problem["detail"]
    assert [record.step for record in found[1:]] == [11 * n for n in range(1, 31)]


def test_a_full_queue_holds_steps_back_instead_of_refusing_them(
    repository: Path, tmp_path: Path
) -> None:
    """Refused in the middle, a session's steps would be applied with one left out."""
    store = f"sqlite:///{tmp_path / 'sessions.db'}"
    with (
        running_service(repository, store, tmp_path / "log", "--max-queue", "5") as service,
        open_stream(service) as socket,
    ):
        handles = [opened(socket, model="weather")[1] for _ in range(40)]
        inputs = np.array([[ROW]] * 400, np.float32)
        socket.send(block(inputs, handles * 10, range(400)))
        found = records(socket, 400)
    assert not [record for record in found if record.problem]
    assert sorted(record.step for record in found) == sorted(list(range(1, 11)) * 40)


def test_a_client_that_does_not_read_is_not_read_from(service: ServiceProcess) -> None:
    """What the service holds for it is bounded: the window, and what the network holds."""
    steps, most = 50, 100_000
    with (
        open_stream(service) as reader,
        raw_websocket.connect(service.port, "/v1/stream", buffer_bytes=65536) as deaf,
    ):
        session_id, _ = opened(reader, model="weather-deep")
        text = json.dumps({"type": "open", "session_id": session_id}).encode()
        deaf.sendall(client_frame(text, TEXT))
        next(payloads(deaf))
        before = _resident_bytes(service)
        one = block(np.array([weather_inputs(steps)], np.float32), [1], [1], gates=True)
        sent = _send_until_stuck(deaf, client_frame(one), most)
        assert sent < most, "everything was read"
        consumed = ask(reader, "get", session_id=session_id)["step"] // steps
        answer_bytes = steps * (3 + 4 * 15) * 4
        assert 0 < consumed < MAX_UNANSWERED + 8e6 / answer_bytes
        assert _resident_bytes(service) - before < 4 * MAX_UNANSWERED * answer_bytes
        # Others are served all the while.
        other, _ = opened(reader, model="weather")
        assert ask(reader, "step", session_id=other, inputs=[ROW])["step"] == 1


def _send_until_stuck(connection: sockets.socket, frame: bytes, most: int) -> int:
    """How many were sent before a second went by in which nothing could be."""
    connection.settimeout(1)
    for count in range(most):
        try:
            connection.sendall(frame)
        except TimeoutError:
            return count
    return most


def _resident_bytes(service: ServiceProcess) -> int:
    pages = Path(f"/proc/{service.pid}/statm").read_text("utf-8").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize(
    "origin",
    [
        "http://elsewhere.example",
        "null",
        "http://[",
        "http://]",
        "http://[::1",
        "://",
        "http://x:y",
    ],
)
def test_pages_of_other_hosts_are_refused(service: ServiceProcess, origin: str) -> None:
    url = service.url.replace("http", "ws", 1) + "/v1/stream"
    with pytest.raises(InvalidStatus) as refused:
        connect(url, origin=Origin(origin), proxy=None)
    assert refused.value.response.status_code == 403
    assert "Traceback" not in service.log()
    with connect(url, origin=Origin(service.url), proxy=None) as socket:
        assert ask(socket, "open", model="weather")["type"] == "open"


def test_no_other_path_takes_sockets(service: ServiceProcess) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(service.url.replace("http", "ws", 1) + "/v1/models", proxy=None)
    assert refused.value.response.status_code == 403
