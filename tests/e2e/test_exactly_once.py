"""Retries on another replica and after kill -9: the same answer, and nothing moves twice."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.requests import apply_steps, inputs_for, new_session, state_of, weather_inputs
from tests.service_process import ServiceProcess, client_of, running_service

LONG = 500
"""Time steps whose answer is too large to keep."""


@pytest.fixture(scope="module")
def replicas(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Two services on one store."""
    folder = tmp_path_factory.mktemp("replicas")
    store = f"sqlite:///{folder / 'sessions.db'}"
    with (
        running_service(repository, store, folder / "log-0") as first,
        running_service(repository, store, folder / "log-1") as second,
    ):
        yield [first.url, second.url]


@pytest.fixture
def first(replicas: list[str]) -> Iterator[httpx.Client]:
    with client_of(replicas[0]) as client:
        yield client


@pytest.fixture
def second(replicas: list[str]) -> Iterator[httpx.Client]:
    with client_of(replicas[1]) as client:
        yield client


REQUESTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "create": ("POST", "/v1/sessions", {"model": "weather", "metadata": {"gauge": [1, "ä"]}}),
    "step": ("POST", "/v1/sessions/{id}/steps", {"inputs": weather_inputs(1)}),
    "steps and gates": (
        "POST",
        "/v1/sessions/{id}/steps",
        {"inputs": weather_inputs(3), "gates": {"units": [1, 0]}},
    ),
    "many steps and gates": (
        "POST",
        "/v1/sessions/{id}/steps",
        {"inputs": weather_inputs(LONG), "gates": True},
    ),
    "rollout": (
        "POST",
        "/v1/sessions/{id}/rollout",
        {"inputs": weather_inputs(2), "steps": 5, "advance": True},
    ),
    "rollout from the last output": (
        "POST",
        "/v1/sessions/{id}/rollout",
        {"steps": 5, "advance": True, "gates": True},
    ),
    "steps with a horizon": (
        "POST",
        "/v1/sessions/{id}/steps",
        {"inputs": weather_inputs(3), "horizon": 5, "gates": True},
    ),
    "steps with a long horizon": (
        "POST",
        "/v1/sessions/{id}/steps",
        {"inputs": weather_inputs(3), "horizon": LONG * 10},
    ),
    "long rollout": (
        "POST",
        "/v1/sessions/{id}/rollout",
        {
            "inputs": weather_inputs(2),
            "steps": LONG,
            "gates": {"steps": "last"},
            "advance": True,
        },
    ),
    "fork": ("POST", "/v1/sessions/{id}/fork", {"ttl_seconds": 60.0}),
    "migrate": ("POST", "/v1/sessions/{id}/migrate", {"version": 1}),
    "state": ("PUT", "/v1/sessions/{id}/state", {"step": 9, "state": [0.5] * 6}),
}


def send(client: httpx.Client, name: str, session_id: str, key: str) -> httpx.Response:
    method, path, body = REQUESTS[name]
    headers = {"idempotency-key": key}
    return client.request(method, path.format(id=session_id), json=body, headers=headers)


@pytest.mark.parametrize("name", REQUESTS)
def test_a_retry_elsewhere_gets_the_same_answer_and_moves_nothing(
    first: httpx.Client, second: httpx.Client, name: str
) -> None:
    session_id = new_session(first, "weather")
    apply_steps(second, session_id, weather_inputs(2, seed=1))
    answer = send(first, name, session_id, f"key {name}")
    assert answer.is_success, answer.text
    left = state_of(first, session_id)
    apply_steps(second, session_id, weather_inputs(1, seed=2))
    moved = state_of(first, session_id)
    again = send(second, name, session_id, f"key {name}")
    assert (again.status_code, again.content) == (answer.status_code, answer.content)
    for header in ("etag", "location"):
        assert again.headers.get(header) == answer.headers.get(header)
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in answer.headers
    assert state_of(second, session_id) == moved != left


def test_a_key_with_another_body_or_route_is_refused(first: httpx.Client) -> None:
    session_id = new_session(first, "weather")
    headers = {"idempotency-key": "once"}
    path = f"/v1/sessions/{session_id}"
    first.post(f"{path}/steps", json={"inputs": weather_inputs(1)}, headers=headers)
    left = state_of(first, session_id)
    for route, body in (
        ("/steps", {"inputs": weather_inputs(2)}),
        ("/steps", {"inputs": weather_inputs(1), "horizon": 1}),
        ("/rollout", {"inputs": weather_inputs(1), "steps": 1, "advance": True}),
    ):
        refused = first.post(path + route, json=body, headers=headers)
        assert refused.status_code == 422
        assert refused.json()["code"] == "idempotency_key_reused"
    put = first.put(f"{path}/state", json={"step": 1, "state": [0.0] * 6}, headers=headers)
    assert put.json()["code"] == "idempotency_key_reused"
    assert state_of(first, session_id) == left


def test_a_key_makes_one_fork_of_one_session(first: httpx.Client) -> None:
    sources = [new_session(first, "weather") for _ in range(2)]
    apply_steps(first, sources[1], weather_inputs(1))
    body, headers = {"session_id": f"{sources[0]}-fork"}, {"idempotency-key": "fork"}
    made = first.post(f"/v1/sessions/{sources[0]}/fork", json=body, headers=headers)
    other = first.post(f"/v1/sessions/{sources[1]}/fork", json=body, headers=headers)
    assert made.status_code == 201
    assert other.json()["code"] == "idempotency_key_reused"
    forks = {
        first.post(f"/v1/sessions/{source}/fork", headers=headers).json()["session_id"]
        for source in sources
    }
    assert len(forks) == 2, "without an id of the caller's, each source has its own"


def test_a_refused_request_may_be_mended_under_its_key(first: httpx.Client) -> None:
    """Nothing was applied, so the key has not been used."""
    session_id = new_session(first, "weather")
    path, headers = f"/v1/sessions/{session_id}/steps", {"idempotency-key": "mended"}
    assert first.post(path, json={"inputs": [[1]]}, headers=headers).status_code == 422
    assert first.post(path, json={"inputs": weather_inputs(1)}, headers=headers).is_success


@pytest.mark.parametrize("model", ["weather", "letters-deep"])
def test_answers_survive_kill_9(repository: Path, tmp_path: Path, model: str) -> None:
    store, headers = f"sqlite:///{tmp_path / 'sessions.db'}", {"idempotency-key": "k"}
    bodies = [{"inputs": inputs_for(model, time), "gates": True} for time in (1, 7, LONG)]
    with running_service(repository, store, tmp_path / "log") as service:
        sessions = [_created(service, model) for _ in bodies]
        answers = [
            httpx.post(f"{service.url}{one}/steps", json=body, headers=headers)
            for one, body in zip(sessions, bodies, strict=True)
        ]
    with running_service(repository, store, tmp_path / "log") as service:
        for one, body, answer in zip(sessions, bodies, answers, strict=True):
            again = httpx.post(f"{service.url}{one}/steps", json=body, headers=headers)
            assert again.content == answer.content
            assert again.headers["idempotent-replayed"] == "true"
            assert httpx.get(f"{service.url}{one}").headers["etag"] == answer.headers["etag"]


def _created(service: ServiceProcess, model: str) -> str:
    created = httpx.post(f"{service.url}/v1/sessions", json={"model": model})
    location: str = created.headers["location"]
    return location


def test_two_tries_at_once_are_one_step(first: httpx.Client, replicas: list[str]) -> None:
    session_id = new_session(first, "weather")
    path = f"/v1/sessions/{session_id}/steps"

    def send_one(number: int) -> httpx.Response:
        url = replicas[number % 2] + path
        headers = {"idempotency-key": f"at once {number // 8}"}
        return httpx.post(url, json={"inputs": weather_inputs(1)}, headers=headers)

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(send_one, range(48)))
    assert all(answer.is_success for answer in answers), [answer.text for answer in answers]
    for number in range(6):
        assert len({answer.content for answer in answers[8 * number : 8 * number + 8]}) == 1
    assert state_of(first, session_id)["step"] == 6
