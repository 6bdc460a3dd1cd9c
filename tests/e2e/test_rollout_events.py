"""Rollouts as server-sent events, from a real service."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.edges.http.openapi import ProblemDetails
from service.edges.v1.schemas import DoneEvent, OutputEvent
from tests.e2e.requests import apply_steps, inputs_for, new_session, state_of
from tests.service_process import client_of, running_service

ENDLESS = 100_000
"""Outputs that take seconds."""
EVENTS = {"accept": "text/event-stream"}

Event = tuple[str, dict[str, Any]]


def events_of(answer: httpx.Response) -> Iterator[Event]:
    """The events of a stream as they arrive."""
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    name = ""
    for line in answer.iter_lines():
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)


def roll(
    client: httpx.Client, session_id: str, body: dict[str, Any], **headers: str
) -> list[Event]:
    """All events of a rollout."""
    path = f"/v1/sessions/{session_id}/rollout"
    with client.stream("POST", path, json=body, headers=EVENTS | headers) as answer:
        assert answer.status_code == 200
        return list(events_of(answer))


def shown_in(events: list[Event]) -> list[Any]:
    """The outputs or tokens of all `output` events, which must be in order."""
    outputs = [OutputEvent.model_validate(data) for name, data in events if name == "output"]
    assert [output.index for output in outputs] == list(range(len(outputs)))
    return [output.output if output.token is None else output.token for output in outputs]


@pytest.mark.parametrize(
    ("model", "more"),
    [
        ("weather", {}),
        ("weather", {"advance": True}),
        ("weather", {"gates": {"steps": "last"}}),
        ("letters-deep", {}),
        ("letters-deep", {"advance": False}),
        ("letters-deep", {"gates": {"steps": "last"}}),
    ],
    ids=str,
)
def test_events_say_what_the_answer_says(
    client: httpx.Client, model: str, more: dict[str, Any]
) -> None:
    body = {"inputs": inputs_for(model, 2), "steps": 7, **more}
    if model == "letters-deep":
        body["seed"] = 5
    streamed, whole = new_session(client, model), new_session(client, model)
    events = roll(client, streamed, body)
    answered = client.post(f"/v1/sessions/{whole}/rollout", json=body)
    answer = answered.json()
    assert [name for name, _ in events] == ["output"] * 7 + ["done"]
    assert shown_in(events) == answer.get("outputs", answer.get("tokens"))
    done = events[-1][1]
    DoneEvent.model_validate(done)
    assert done.pop("etag") == client.get(f"/v1/sessions/{streamed}").headers["etag"]
    besides = {name: answer[name] for name in answer if name not in ("outputs", "tokens", "text")}
    assert done == besides | {"session_id": streamed}
    assert state_of(client, streamed)["state"] == state_of(client, whole)["state"]


def test_text_comes_letter_by_letter_and_stops(client: httpx.Client) -> None:
    session_id = new_session(client, "letters")
    body = {"text": "abc", "steps": 200, "seed": 1, "stop": ["a", "b", "c"]}
    *outputs, (_, done) = roll(client, session_id, body)
    text = "".join(data["text"] for _, data in outputs)
    assert text[-1] in "abc"
    assert done["stopped"] is True
    assert not set(text[:-1]) & set("abc")
    assert done["step"] == 3 + len(text) - 1 == state_of(client, session_id)["step"]


@pytest.mark.parametrize("steps", [5, 2000], ids=["kept", "computed again"])
def test_a_retry_gets_the_same_events(client: httpx.Client, steps: int) -> None:
    session_id = new_session(client, "letters")
    body, key = {"text": "abc", "steps": steps}, {"idempotency-key": "events"}
    first = roll(client, session_id, body, **key)
    apply_steps(client, session_id, [1])
    again = roll(client, session_id, body, **key)
    assert again[:-1] == first[:-1]
    assert again[-1][1] == first[-1][1] | {"replayed": True}
    whole = client.post(f"/v1/sessions/{session_id}/rollout", json=body, headers=key)
    assert whole.json()["tokens"] == shown_in(first), "the form of the answer is not compared"
    assert state_of(client, session_id)["step"] == first[-1][1]["step"] + 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"inputs": [[20, 1000, 0.5]], "steps": 0}, 422, "invalid_input"),
        ({"inputs": [[20, 1000]], "steps": 2}, 422, "invalid_input"),
        ({"inputs": [[20, 1000, 0.5]], "steps": 2, "at": 9}, 409, "step_conflict"),
    ],
)
def test_what_fails_before_the_first_output_is_answered_by_its_status(
    client: httpx.Client, body: dict[str, Any], status: int, code: str
) -> None:
    path = f"/v1/sessions/{new_session(client, 'weather')}/rollout"
    refused = client.post(path, json=body, headers=EVENTS)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert refused.headers["content-type"] == "application/problem+json"


def test_a_step_in_between_ends_it_with_an_error(client: httpx.Client) -> None:
    session_id = new_session(client, "weather")
    body = {"inputs": inputs_for("weather", 1), "steps": 20_000, "advance": True}
    path = f"/v1/sessions/{session_id}/rollout"
    with client.stream("POST", path, json=body, headers=EVENTS) as answer:
        events = events_of(answer)
        assert next(events)[0] == "output"
        apply_steps(client, session_id, inputs_for("weather", 1))
        names = dict(events)
    assert set(names) == {"output", "error"}
    problem = ProblemDetails.model_validate(names["error"])
    assert (problem.status, problem.code) == (503, "session_contended")
    assert state_of(client, session_id)["step"] == 1


def test_who_goes_away_leaves_the_session_as_it_was(client: httpx.Client) -> None:
    gone, stays = new_session(client, "weather"), new_session(client, "weather")
    body = {"inputs": inputs_for("weather", 1), "steps": 30_000, "advance": True}
    with client.stream("POST", f"/v1/sessions/{gone}/rollout", json=body, headers=EVENTS) as answer:
        assert next(events_of(answer))[0] == "output"
    # They would have taken turns, and the one that began first would be over first.
    whole = client.post(f"/v1/sessions/{stays}/rollout", json=body, timeout=60)
    assert whole.json()["step"] == 30_000
    assert state_of(client, gone)["step"] == 0


def test_kill_9_in_the_middle_leaves_the_session_as_it_was(
    repository: Path, tmp_path: Path
) -> None:
    store = f"sqlite:///{tmp_path / 'sessions.db'}"
    body = {"inputs": inputs_for("weather", 1), "steps": ENDLESS, "advance": True}
    headers = EVENTS | {"idempotency-key": "killed"}
    with (
        running_service(repository, store, tmp_path / "log") as service,
        client_of(service.url) as client,
    ):
        path = f"/v1/sessions/{new_session(client, 'weather')}"
        with client.stream("POST", f"{path}/rollout", json=body, headers=headers) as answer:
            events = events_of(answer)
            first = [next(events) for _ in range(10)]
            service.kill()
            with pytest.raises(httpx.HTTPError):
                list(events)
    with (
        running_service(repository, store, tmp_path / "log") as service,
        client_of(service.url) as client,
    ):
        assert client.get(path).json()["step"] == 0
        with client.stream("POST", f"{path}/rollout", json=body, headers=headers) as answer:
            events = events_of(answer)
            assert [next(events) for _ in range(10)] == first
