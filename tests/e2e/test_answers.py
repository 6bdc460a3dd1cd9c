"""Real answers against the records that describe them, and against the document that lists them."""

from collections.abc import Iterator
from typing import Any, TypeVar

import httpx
import pytest
from pydantic import BaseModel

from service.edges.v1.schemas import (
    ModelAnswer,
    ModelsAnswer,
    NextToken,
    SequencesAnswer,
    SessionAnswer,
    SessionsAnswer,
    StateAnswer,
    StepsAnswer,
)
from tests.e2e.requests import inputs_for, new_session

Answer = TypeVar("Answer", bound=BaseModel)
MODELS = ["weather", "weather-deep", "letters", "letters-deep"]
GATES: list[Any] = [
    False,
    True,
    None,
    {},
    {"include": ["update"], "layers": [0], "units": [5, 0]},
    {"steps": "last", "reduce": "mean"},
]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("gates", GATES, ids=str)
def test_steps_and_sequences(client: httpx.Client, model: str, gates: object) -> None:
    session_id, inputs = new_session(client, model), inputs_for(model, 4)
    body = {"inputs": inputs, "gates": gates}
    steps = client.post(f"/v1/sessions/{session_id}/steps", json=body)
    assert bool(valid(steps, StepsAnswer).gates) == (gates not in (False, None))
    body = {"inputs": [inputs, inputs[:2]], "gates": gates}
    sequences = client.post(f"/v1/models/{model}/sequences", json=body)
    assert len(valid(sequences, SequencesAnswer).sequences) == 2


@pytest.mark.parametrize("model", MODELS)
def test_the_life_of_a_session(client: httpx.Client, model: str) -> None:
    created = client.post("/v1/sessions", json={"model": model})
    session = valid(created, SessionAnswer, status=201)
    path = created.headers["location"]
    assert path == f"/v1/sessions/{session.session_id}"
    assert valid(client.get(path), SessionAnswer) == session
    state = valid(client.get(f"{path}/state"), StateAnswer)
    assert not any(state.state)
    body = {"step": 3, "state": [0.25] * len(state.state)}
    assert valid(client.put(f"{path}/state", json=body), StateAnswer).state == body["state"]
    assert valid(client.get(path), SessionAnswer).step == 3
    assert valid(client.get("/v1/sessions", params={"model": model}), SessionsAnswer).sessions


@pytest.mark.parametrize("model", MODELS)
def test_models(client: httpx.Client, model: str) -> None:
    described = valid(client.get(f"/v1/models/{model}"), ModelAnswer)
    assert described.provider == "CPUExecutionProvider"
    assert described in valid(client.get("/v1/models"), ModelsAnswer).models


def test_training_report(client: httpx.Client) -> None:
    report = client.get(valid(client.get("/v1/models/weather"), ModelAnswer).report or "")
    assert report.status_code == 200
    assert report.headers["content-type"].startswith("text/html")


def test_next_tokens_are_the_most_likely(client: httpx.Client) -> None:
    answer = client.post("/v1/models/letters/sequences", json={"text": ["abc", "a."]})
    for sequence in valid(answer, SequencesAnswer).sequences:
        assert sequence.next is not None
        for probabilities, said in zip(sequence.outputs, sequence.next, strict=True):
            tokens = [one for one in said if isinstance(one, NextToken)]
            assert [token.probability for token in tokens] == sorted(probabilities)[:-6:-1]
            assert all(probabilities[token.token] == token.probability for token in tokens)
            assert all(token.text == "abcdefgh ."[token.token] for token in tokens)


def test_pages_cover_every_session_once(client: httpx.Client) -> None:
    made = {new_session(client, "letters-deep") for _ in range(7)}
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        params = {"model": "letters-deep", "limit": "3", "cursor": cursor}
        page = valid(client.get("/v1/sessions", params=params), SessionsAnswer)
        found += [session.session_id for session in page.sessions]
        cursor = page.cursor
    assert found == sorted(set(found))
    assert made <= set(found)


def test_openapi_describes_every_route(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    operations = {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert operations.keys() >= {
        ("GET", "/v1/models"),
        ("GET", "/v1/models/{model}"),
        ("POST", "/v1/models/{model}/sequences"),
        ("POST", "/v1/sessions"),
        ("GET", "/v1/sessions"),
        ("GET", "/v1/sessions/{session_id}"),
        ("DELETE", "/v1/sessions/{session_id}"),
        ("GET", "/v1/sessions/{session_id}/state"),
        ("PUT", "/v1/sessions/{session_id}/state"),
        ("POST", "/v1/sessions/{session_id}/steps"),
        ("GET", "/health/live"),
        ("GET", "/health/ready"),
    }
    for (method, path), operation in operations.items():
        where = f"{method} {path}"
        done = {status: one for status, one in operation["responses"].items() if status < "300"}
        assert done, where
        if path.startswith("/v1") and not path.endswith("/report") and method != "DELETE":
            assert any("schema" in media for one in done.values() for media in content(one)), where
        if method in ("POST", "PUT") and not path.endswith("/restore"):
            assert any("schema" in media for media in content(operation["requestBody"])), where


def test_openapi_refers_to_nothing_that_is_missing(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    references = set(references_in(document))
    assert references
    for reference in references:
        found = document
        for part in reference.removeprefix("#/").split("/"):
            assert part in found, reference
            found = found[part]


def valid(answer: httpx.Response, record: type[Answer], status: int = 200) -> Answer:
    """The answer as the record that describes it, which allows no field that it does not name."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    return record.model_validate_json(answer.content)


def content(described: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from described.get("content", {}).values()


def references_in(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "$ref":
                yield value
            yield from references_in(value)
    elif isinstance(part, list):
        for value in part:
            yield from references_in(value)
