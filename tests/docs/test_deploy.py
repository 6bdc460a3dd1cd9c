"""The nginx example of docs/deploy.md, as nginx itself runs it in front of two real replicas.

The commands of that page are run by tests/containers/test_deploy.py.
"""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from service.settings import Settings
from tests.docs.console import blocks_of
from tests.e2e.requests import new_session, state_of, weather_inputs
from tests.raw_websocket import TEXT, client_frame, connect, payloads
from tests.service_process import ServiceProcess, free_port, running_service
from tests.system_programs import required
from tests.waiting import DEADLINE_SECONDS, is_ready, wait_until

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "deploy.md"
MAIN = """\
daemon off;
pid {folder}/pid;
error_log {folder}/errors;
{user}
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/answers;
    fastcgi_temp_path {folder}/unused;
    uwsgi_temp_path {folder}/unused;
    scgi_temp_path {folder}/unused;
{example}
}}
"""
"""What a distribution's nginx.conf says around the example, in a folder of the test's own."""


@dataclass(frozen=True)
class Proxied:
    """nginx on a port, and what stands behind it."""

    port: int
    replicas: list[ServiceProcess]
    client: httpx.Client


@pytest.fixture
def proxied(repository: Path, tmp_path: Path) -> Iterator[Proxied]:
    store = f"sqlite:///{tmp_path / 'sessions.db'}"
    with ExitStack() as stack:
        replicas = [
            stack.enter_context(running_service(repository, store, tmp_path / f"log-{number}"))
            for number in (1, 2)
        ]
        port = stack.enter_context(running_nginx(tmp_path / "nginx", replicas))
        client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)
        yield Proxied(port, replicas, stack.enter_context(client))


@contextmanager
def running_nginx(folder: Path, replicas: list[ServiceProcess]) -> Iterator[int]:
    """nginx with the page's example, but for the addresses; yields its port."""
    folder.mkdir()
    port = free_port()
    [example] = blocks_of(DOCUMENT.read_text("utf-8"), "nginx")
    example, listens = re.subn(r"listen \d+;", f"listen 127.0.0.1:{port};", example)
    for replica in replicas:
        example = re.sub(r"server 10\.\S+;", f"server 127.0.0.1:{replica.port};", example, count=1)
    assert listens == 1
    assert "10.0." not in example
    user = "user root;" if os.getuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(MAIN.format(folder=folder, user=user, example=example))
    process = subprocess.Popen([required("nginx"), "-e", folder / "errors", "-c", config])
    try:
        url, errors = f"http://127.0.0.1:{port}", folder / "errors"
        wait_until(lambda: process.poll() is not None or is_ready(url), errors.read_text)
        assert process.poll() is None, errors.read_text()
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(DEADLINE_SECONDS)


def test_everything_that_clients_do_passes(proxied: Proxied) -> None:
    client = proxied.client
    session_id = new_session(client, "weather")
    path = f"/v1/sessions/{session_id}"
    with connect(proxied.port, "/v1/stream") as socket:
        answers = payloads(socket)
        for kind, fields in (("open", {}), ("step", {"inputs": weather_inputs(3)})):
            message = {"type": kind, "session_id": session_id, **fields}
            socket.sendall(client_frame(json.dumps(message).encode(), TEXT))
            assert json.loads(next(answers))["type"] == kind

    roll = {"inputs": weather_inputs(2), "steps": 4}
    with client.stream(
        "POST", f"{path}/rollout", json=roll, headers={"accept": "text/event-stream"}
    ) as answer:
        names = [line for line in answer.iter_lines() if line.startswith("event: ")]
    assert names == ["event: output"] * 4 + ["event: done"]

    body = {"inputs": weather_inputs(1)}
    headers = {"if-match": client.get(path).headers["etag"], "idempotency-key": "once"}
    first, again = (client.post(f"{path}/steps", json=body, headers=headers) for _ in range(2))
    assert first.content == again.content
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["etag"] == first.headers["etag"] != headers["if-match"]

    assert client.get("/health/ready").status_code == 200
    assert client.get("/metrics").status_code == 404


def test_pages_of_the_proxys_host_and_port_may_change_something(proxied: Proxied) -> None:
    statuses = [
        proxied.client.post(
            "/v1/sessions",
            json={"model": "weather"},
            headers={"origin": f"http://127.0.0.1:{port}"},
        ).status_code
        for port in (proxied.port, proxied.replicas[0].port)
    ]
    assert statuses == [201, 403]


def test_a_body_may_be_as_long_as_the_service_allows(proxied: Proxied) -> None:
    longest = b" " * Settings(repository=Path()).max_body_bytes
    path = f"/v1/sessions/{new_session(proxied.client, 'weather')}/steps"
    assert proxied.client.post(path, content=longest).json()["code"] == "malformed_body"
    assert proxied.client.post(path, content=longest + b" ").status_code == 413


def test_a_replica_is_killed_and_no_step_is_lost_or_doubled(proxied: Proxied) -> None:
    client, inputs = proxied.client, weather_inputs(60)
    session_id, alone = (new_session(client, "weather") for _ in range(2))
    path = f"/v1/sessions/{session_id}/steps"
    statuses: list[int] = []
    for index, step in enumerate(inputs):
        if index == 20:
            proxied.replicas[0].kill()
        headers = {"idempotency-key": str(index)}
        while True:
            answer = client.post(path, json={"inputs": [step]}, headers=headers)
            statuses.append(answer.status_code)
            if answer.status_code != 502:
                break
        assert answer.json()["step"] == index + 1
    assert 1 <= statuses.count(502) <= 3, "the proxy knows soon that one has gone"
    for step in inputs:
        client.post(f"/v1/sessions/{alone}/steps", json={"inputs": [step]}).raise_for_status()
    states = [state_of(client, one)["state"] for one in (session_id, alone)]
    assert states[0] == states[1]
