"""The life of a session over HTTP: metadata, fork, rollout, capacity, listing across models."""

from pathlib import Path

import httpx
import pytest

from tests.e2e.requests import (
    apply_steps,
    floats,
    inputs_for,
    new_session,
    state_of,
    weather_inputs,
)
from tests.service_process import client_of, running_service


def test_metadata_is_kept_as_it_came(client: httpx.Client) -> None:
    metadata = {"": None, "tag": ["ä", 1.5, True], "deep": {"large": 12345678901234567890123}}
    body = {"model": "weather", "metadata": metadata}
    created = client.post("/v1/sessions", json=body)
    assert created.json()["metadata"] == metadata
    path = created.headers["location"]
    apply_steps(client, path.rpartition("/")[2], weather_inputs(1))
    assert client.get(path).json()["metadata"] == metadata
    assert client.post(f"{path}/fork").json()["metadata"] == metadata
    assert client.post(f"{path}/fork", json={"metadata": {}}).json()["metadata"] == {}


@pytest.mark.parametrize("metadata", ['{"a": NaN}', '"a"', "[]", '{"a": "' + "x" * 5000 + '"}'])
def test_metadata_that_is_refused(client: httpx.Client, metadata: str) -> None:
    body = f'{{"model": "weather", "metadata": {metadata}}}'
    refused = client.post("/v1/sessions", content=body)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["path"].startswith("$.metadata")


def test_a_fork_goes_its_own_way(client: httpx.Client) -> None:
    source = new_session(client, "weather", ttl_seconds=500.0)
    apply_steps(client, source, weather_inputs(3))
    before = state_of(client, source)
    forked = client.post(f"/v1/sessions/{source}/fork", json={"session_id": f"{source}-b"})
    assert forked.status_code == 201
    assert forked.headers["location"] == f"/v1/sessions/{source}-b"
    assert (forked.json()["step"], forked.json()["ttl_seconds"]) == (3, 500.0)
    assert state_of(client, f"{source}-b")["state"] == before["state"]
    apply_steps(client, f"{source}-b", weather_inputs(1))
    assert state_of(client, source) == before
    again = client.post(f"/v1/sessions/{source}/fork", json={"session_id": f"{source}-b"})
    assert again.json()["code"] == "session_exists"


def test_a_fork_of_nobody(client: httpx.Client) -> None:
    refused = client.post("/v1/sessions/nobody/fork")
    assert (refused.status_code, refused.json()["code"]) == (404, "session_not_found")


@pytest.mark.parametrize("model", ["weather", "weather-deep"])
def test_a_forecast_is_steps_with_their_own_outputs(client: httpx.Client, model: str) -> None:
    session_id, by_hand = new_session(client, model), new_session(client, model)
    body = {"inputs": weather_inputs(3), "steps": 4, "gates": True, "advance": True}
    rolled = client.post(f"/v1/sessions/{session_id}/rollout", json=body).json()
    outputs = [apply_steps(client, by_hand, weather_inputs(3))["outputs"][-1]]
    for _ in range(3):
        outputs.append(apply_steps(client, by_hand, [outputs[-1]])["outputs"][0])
    assert rolled["step"] == 6
    assert abs(floats(rolled["outputs"]) - floats(outputs)).max() < 1e-2, "in °C and hPa"
    assert len(rolled["gates"]["layers"][0]["update"]) == 6
    states = [floats(state_of(client, one)["state"]) for one in (session_id, by_hand)]
    assert abs(states[0] - states[1]).max() < 1e-5


def test_a_look_ahead_moves_nothing(client: httpx.Client) -> None:
    session_id = new_session(client, "weather")
    apply_steps(client, session_id, weather_inputs(1))
    before = client.get(f"/v1/sessions/{session_id}")
    body = {"inputs": weather_inputs(1), "steps": 3}
    rolled = client.post(f"/v1/sessions/{session_id}/rollout", json=body)
    assert (len(rolled.json()["outputs"]), rolled.json()["step"]) == (3, 1)
    after = client.get(f"/v1/sessions/{session_id}")
    assert (after.content, after.headers["etag"]) == (before.content, before.headers["etag"])


def test_text_goes_on_the_same_with_the_same_seed(client: httpx.Client) -> None:
    body = {"text": "abc", "steps": 30, "temperature": 1.5}
    texts = []
    for seed in (7, 7, 8, None, None):
        session_id = new_session(client, "letters")
        rolled = client.post(
            f"/v1/sessions/{session_id}/rollout", json=body | {"seed": seed}
        ).json()
        assert rolled["text"] == "".join("abcdefgh ."[token] for token in rolled["tokens"])
        assert (rolled["step"], rolled["stopped"], "outputs" in rolled) == (32, False, False)
        assert seed is None or rolled["seed"] == seed
        texts.append(rolled["text"])
    assert texts[0] == texts[1]
    assert len(set(texts)) == 4


def test_text_stops(client: httpx.Client) -> None:
    session_id = new_session(client, "letters")
    body = {"text": "abc", "steps": 5000, "seed": 1, "stop": ["ab", "ba"]}
    rolled = client.post(f"/v1/sessions/{session_id}/rollout", json=body).json()
    assert rolled["stopped"]
    assert rolled["text"].endswith(("ab", "ba"))
    assert "ab" not in rolled["text"][:-1] and "ba" not in rolled["text"][:-1]
    assert rolled["step"] == 3 + len(rolled["text"]) - 1


def test_sessions_are_listed_by_model(client: httpx.Client) -> None:
    made = {(model, new_session(client, model)) for model in ("weather", "letters", "weather")}
    everything = client.get("/v1/sessions", params={"limit": 1000}).json()["sessions"]
    found = [(session["model"], session["session_id"]) for session in everything]
    assert found == sorted(found)
    assert made <= set(found)
    only = client.get("/v1/sessions", params={"limit": 1000, "model": "weather"}).json()
    assert [session["session_id"] for session in only["sessions"]] == [
        session_id for model, session_id in found if model == "weather"
    ]


def test_a_look_ahead_takes_no_key(client: httpx.Client) -> None:
    path = f"/v1/sessions/{new_session(client, 'weather')}/rollout"
    body = {"inputs": weather_inputs(1), "steps": 3}
    for ahead in ({}, {"advance": False}):
        refused = client.post(path, json=body | ahead, headers={"idempotency-key": "k"})
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["path"] == "$.advance"


def test_a_full_service_refuses_and_ends_nobody(repository: Path, tmp_path: Path) -> None:
    flags = ("--max-sessions", "3")
    store = f"sqlite:///{tmp_path / 'sessions.db'}"
    with (
        running_service(repository, store, tmp_path / "log", *flags) as service,
        client_of(service.url) as client,
    ):
        key, body = {"idempotency-key": "first"}, {"model": "weather"}
        first = client.post("/v1/sessions", json=body, headers=key)
        ids = [new_session(client, "weather") for _ in range(2)]
        refused = client.post("/v1/sessions", json=body)
        assert (refused.status_code, refused.json()["code"]) == (503, "too_many_sessions")
        assert int(refused.headers["retry-after"]) > 0
        assert client.post(f"/v1/sessions/{ids[0]}/fork").status_code == 503
        again = client.post("/v1/sessions", json=body, headers=key)
        assert again.content == first.content, "a retry makes nothing new"
        for session_id in ids:
            apply_steps(client, session_id, inputs_for("weather", 1))
        client.delete(f"/v1/sessions/{ids[0]}")
        new_session(client, "weather")
        assert client.post("/v1/sessions", json=body).status_code == 503


def test_what_keyed_requests_left_can_be_seen(client: httpx.Client) -> None:
    created = client.post(
        "/v1/sessions", json={"model": "weather"}, headers={"Idempotency-Key": "first"}
    ).json()["session_id"]
    path = f"/v1/sessions/{created}"
    for key in ("one", "writer:1", "writer:2"):
        body = {"inputs": weather_inputs(1)}
        answer = client.post(f"{path}/steps", json=body, headers={"Idempotency-Key": key})
        assert answer.status_code == 200
    found = client.get(f"{path}/receipts").json()
    assert [(one["step"], one["answer"]) for one in found["receipts"]] == [
        *((3, "kept"), (2, "kept"), (1, "kept"), (0, "creation"))
    ]
    assert [one["highest"] for one in found["writers"]] == [2]
    assert len({one["key"] for one in found["receipts"]}) == 4
    assert client.get("/v1/sessions/none/receipts").status_code == 404
