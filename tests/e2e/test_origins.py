"""Pages of other sites change nothing."""

import json

import httpx
import pytest

from service.edges.http.openapi import ProblemDetails
from tests.e2e.requests import new_session, state_of
from tests.service_process import ServiceProcess

FOREIGN = ["http://elsewhere.example", "null", "http://[", "http://]", "://", "", "http://x:port"]
ZEROS = [0.0] * 6
STEPS = {"inputs": [[20, 1000, 0.5]]}


def plain(origin: str) -> dict[str, str]:
    """Headers that a page may send anywhere, without asking before."""
    return {"origin": origin, "content-type": "text/plain"}


@pytest.mark.parametrize("origin", FOREIGN)
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/sessions", {"model": "weather"}),
        ("POST", "/v1/sessions/{}/steps", STEPS),
        ("POST", "/v1/steps", {"items": [{"session_id": "{}", **STEPS}]}),
        ("POST", "/v1/sessions/{}/rollout", STEPS | {"steps": 2}),
        ("POST", "/v1/sessions/{}/fork", {}),
        ("POST", "/v1/sessions/{}/migrate", {}),
        ("PUT", "/v1/sessions/{}/state", {"step": 7, "state": ZEROS}),
        ("DELETE", "/v1/sessions/{}", None),
        ("POST", "/v1/models/weather/sequences", {"inputs": [[[20, 1000, 0.5]]]}),
    ],
)
def test_pages_of_other_sites_change_nothing(
    client: httpx.Client, origin: str, method: str, path: str, body: object
) -> None:
    session_id = new_session(client, "weather")
    before = client.get("/v1/sessions?limit=1000").json(), state_of(client, session_id)
    content = None if body is None else json.dumps(body).replace("{}", session_id)
    answer = client.request(
        method, path.replace("{}", session_id), content=content, headers=plain(origin)
    )
    assert answer.status_code == 403, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert "x-request-id" in answer.headers
    problem = ProblemDetails.model_validate_json(answer.content)
    assert (problem.status, problem.code) == (403, "foreign_origin")
    assert (client.get("/v1/sessions?limit=1000").json(), state_of(client, session_id)) == before


def test_own_pages_may(client: httpx.Client, service: ServiceProcess) -> None:
    headers = plain(service.url)
    created = client.post("/v1/sessions", json={"model": "weather"}, headers=headers)
    assert created.status_code == 201
    path = created.headers["location"]
    assert client.post(f"{path}/steps", json=STEPS, headers=headers).status_code == 200
    item = {"session_id": created.json()["session_id"], **STEPS}
    many = client.post("/v1/steps", json={"items": [item]}, headers=headers)
    assert many.json()["items"][0]["step"] == 2
    assert client.delete(path, headers=headers).status_code == 204


def test_behind_a_proxy_with_tls(client: httpx.Client) -> None:
    """The page is of https, the service sees http; the host is the same."""
    headers = {"origin": "https://gates.example", "host": "gates.example"}
    for host in ("gates.example", "gates.example:443"):
        headers["host"] = host
        answer = client.post("/v1/sessions", json={"model": "weather"}, headers=headers)
        assert answer.status_code == 201


def test_everybody_may_look(client: httpx.Client) -> None:
    for path in ("/v1/models", "/v1/sessions", "/"):
        assert client.get(path, headers=plain("http://elsewhere.example")).status_code == 200
