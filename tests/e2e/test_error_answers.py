"""Errors that are not about the content of a body: lengths, paths, methods, lives of sessions."""

import time
from collections.abc import Iterator

import httpx
import pytest

from service.edges.http.openapi import ProblemDetails
from tests.e2e.conftest import MAX_BODY_BYTES
from tests.e2e.requests import apply_steps, new_session, state_of, weather_inputs

ZEROS = [0.0] * 6


def check(answer: httpx.Response, status: int, code: str) -> ProblemDetails:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = ProblemDetails.model_validate_json(answer.content)
    assert (problem.status, problem.code) == (status, code)
    assert problem.type == f"urn:gatewise:problem:{code}"
    return problem


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/sessions/nobody"),
        ("GET", "/v1/sessions/nobody/state"),
        ("PUT", "/v1/sessions/nobody/state"),
        ("POST", "/v1/sessions/nobody/steps"),
        ("DELETE", "/v1/sessions/nobody"),
    ],
)
def test_unknown_session(client: httpx.Client, method: str, path: str) -> None:
    bodies = {"PUT": {"step": 0, "state": ZEROS}, "POST": {"inputs": [[1, 2, 3]]}}
    problem = check(client.request(method, path, json=bodies.get(method)), 404, "session_not_found")
    assert "nobody" in problem.detail


@pytest.fixture(scope="module")
def expired(client: httpx.Client) -> str:
    """A session whose short life is over."""
    session_id = new_session(client, "weather", ttl_seconds=0.05)
    deadline = time.monotonic() + 10
    while client.get(f"/v1/sessions/{session_id}").status_code == 200:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return session_id


@pytest.mark.parametrize(
    ("method", "rest"), [("GET", ""), ("GET", "/state"), ("PUT", "/state"), ("POST", "/steps")]
)
def test_expired_session(client: httpx.Client, expired: str, method: str, rest: str) -> None:
    bodies = {"PUT": {"step": 0, "state": ZEROS}, "POST": {"inputs": [[1, 2, 3]]}}
    answer = client.request(method, f"/v1/sessions/{expired}{rest}", json=bodies.get(method))
    check(answer, 410, "session_expired")


def test_expired_session_is_not_listed(client: httpx.Client, expired: str) -> None:
    listed = client.get("/v1/sessions?limit=1000").json()["sessions"]
    assert expired not in [session["session_id"] for session in listed]


def test_expired_session_can_be_begun_anew(client: httpx.Client) -> None:
    session_id = new_session(client, "weather", ttl_seconds=0.01)
    deadline = time.monotonic() + 10
    while client.get(f"/v1/sessions/{session_id}").status_code != 410:
        assert time.monotonic() < deadline
    assert new_session(client, "letters", session_id=session_id) == session_id
    assert client.get(f"/v1/sessions/{session_id}").json()["model"] == "letters"


def test_a_step_prolongs_the_life_of_a_session(client: httpx.Client) -> None:
    session_id = new_session(client, "weather", ttl_seconds=60)
    before = client.get(f"/v1/sessions/{session_id}").json()["expires_at"]
    apply_steps(client, session_id, weather_inputs(1))
    assert client.get(f"/v1/sessions/{session_id}").json()["expires_at"] > before


def test_taken_session_id(client: httpx.Client) -> None:
    session_id = new_session(client, "weather", session_id="taken")
    apply_steps(client, session_id, weather_inputs(2))
    before = state_of(client, session_id)
    body = {"model": "letters", "session_id": "taken"}
    check(client.post("/v1/sessions", json=body), 409, "session_exists")
    assert state_of(client, session_id) == before


def test_deleted_session_is_gone(client: httpx.Client) -> None:
    session_id = new_session(client, "weather")
    assert client.delete(f"/v1/sessions/{session_id}").status_code == 204
    check(client.get(f"/v1/sessions/{session_id}"), 410, "session_finished")
    check(client.delete(f"/v1/sessions/{session_id}"), 410, "session_finished")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/models/nobody"),
        ("POST", "/v1/models/nobody/sequences"),
        ("GET", "/v1/models/nobody/report"),
    ],
)
def test_unknown_model(client: httpx.Client, method: str, path: str) -> None:
    problem = check(client.request(method, path, json={}), 404, "model_not_found")
    assert "weather" in problem.detail, "names what is served"


@pytest.mark.parametrize(
    "path", ["/v1", "/v1/", "/v1/sessions/", "/v1/sessions//steps", "/v1/sessions/a/b/steps", "/x"]
)
def test_unknown_path(client: httpx.Client, path: str) -> None:
    check(client.post(path, json={}), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/models", "GET"),
        ("GET", "/v1/models/weather/sequences", "POST"),
        ("GET", "/v1/sessions/a/steps", "POST"),
        ("POST", "/", "GET"),
        ("DELETE", "/v1/sessions", "GET, POST"),
        ("POST", "/v1/sessions/a/state", "GET, PUT"),
        ("PATCH", "/v1/sessions/a", "DELETE, GET"),
    ],
)
def test_wrong_method(client: httpx.Client, method: str, path: str, allowed: str) -> None:
    answer = client.request(method, path)
    check(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "many", ""])
def test_bad_page_size(client: httpx.Client, limit: str) -> None:
    problem = check(client.get(f"/v1/sessions?limit={limit}"), 422, "invalid_input")
    assert problem.errors is not None
    assert [fault.path for fault in problem.errors] == ["query.limit"]


TOO_LONG = b'{"inputs": [' + b" " * MAX_BODY_BYTES + b"[20, 1000, 0.5]]}"
ROUTES_WITH_A_BODY = [
    ("POST", "/v1/sessions"),
    ("POST", "/v1/models/weather/sequences"),
    ("POST", "/v1/sessions/{}/steps"),
    ("PUT", "/v1/sessions/{}/state"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES_WITH_A_BODY)
@pytest.mark.parametrize("chunked", [False, True])
def test_too_long_a_body(client: httpx.Client, method: str, path: str, chunked: bool) -> None:
    session_id = new_session(client, "weather")
    before = state_of(client, session_id)
    content = in_chunks(TOO_LONG) if chunked else TOO_LONG
    answer = client.request(method, path.format(session_id), content=content)
    problem = check(answer, 413, "body_too_large")
    assert str(MAX_BODY_BYTES) in problem.detail
    assert state_of(client, session_id) == before


@pytest.mark.parametrize("chunked", [False, True])
def test_the_longest_body_that_is_read(client: httpx.Client, chunked: bool) -> None:
    session_id = new_session(client, "weather")
    body = b'{"inputs": [[20, 1000, 0.5]]}'.ljust(MAX_BODY_BYTES)
    content = in_chunks(body) if chunked else body
    assert client.post(f"/v1/sessions/{session_id}/steps", content=content).status_code == 200
    answer = client.post(f"/v1/sessions/{session_id}/steps", content=body + b" ")
    check(answer, 413, "body_too_large")


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_a_body_is_json_whatever_its_content_type(
    client: httpx.Client, content_type: str | None
) -> None:
    headers = {} if content_type is None else {"content-type": content_type}
    created = client.post("/v1/sessions", content=b'{"model": "weather"}', headers=headers)
    assert created.status_code == 201
    path = f"{created.headers['location']}/steps"
    body = b'{"inputs": [[20, 1000, 0.5]]}'
    assert client.post(path, content=body, headers=headers).status_code == 200


def in_chunks(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), 10_000):
        yield body[start : start + 10_000]
