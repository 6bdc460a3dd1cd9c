"""How a trace ends, and what is refused: by name, with the way out, and nothing changed."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from service.repository.models import Models
from tests.unit.edges.inspector.asking import drawn, refused, traced
from tests.unit.edges.inspector.service import served


async def test_life_of_a_trace(client: httpx.AsyncClient) -> None:
    first = await traced(client, model="letters", text="abc", ttl_seconds=100)
    assert first["expires_at"] - first["created_at"] == pytest.approx(100)
    second = await traced(client, model="weather", inputs=drawn("weather").tolist())
    listed = (await client.get("/v1/traces")).json()["traces"]
    assert [one["trace_id"] for one in listed] == [second["trace_id"], first["trace_id"]]
    path = f"/v1/traces/{first['trace_id']}"
    assert (await client.get(path)).json() == first
    assert (await client.delete(path)).status_code == 204
    assert "expired or been deleted" in await refused(client, path, 404)
    assert (await client.delete(path)).status_code == 404


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "one of `model`, `session_id` and `trace_id`"),
        ({"model": "letters"}, "one of `inputs`, `text` and `sample`"),
        ({"model": "letters", "text": "a", "sample": True}, "one of `inputs`, `text` and `sample`"),
        ({"model": "letters", "text": "a", "at": 3}, "`at` does not go with `model`"),
        ({"session_id": "a", "text": "a"}, "`text` does not go with `session_id`"),
        ({"trace_id": "a", "text": "a"}, "say `at` which step"),
        ({"trace_id": "a", "at": 1}, "send `interventions`, or `at`"),
        ({"model": "letters", "text": "aXb"}, "$.text"),
        ({"model": "weather", "inputs": [[1, 2]]}, "$.inputs"),
        ({"model": "weather", "inputs": []}, "$.inputs"),
        ({"model": "letters", "text": "abc", "state": [0.0]}, "$.state"),
    ],
)
async def test_bodies_that_are_refused(
    client: httpx.AsyncClient, body: dict[str, Any], says: str
) -> None:
    answer = await client.post("/v1/traces", json=body)
    assert answer.status_code == 422, answer.text
    assert says in answer.json()["detail"]
    assert (await client.get("/v1/traces")).json() == {"traces": []}


@pytest.mark.parametrize(
    ("change", "path", "says"),
    [
        ({"gate": "forget", "value": 0}, "$.interventions[0].gate", "reset, update, candidate"),
        ({"gate": "reset", "layer": 1, "value": 0}, "$.interventions[0].layer", "layer 0"),
        ({"gate": "reset", "units": [6], "value": 0}, "$.interventions[0].units", "0 to 5"),
        ({"gate": "reset", "from": 3, "to": 9, "value": 0}, "$.interventions[0].from", "3"),
    ],
)
async def test_interventions_that_cannot_be(
    client: httpx.AsyncClient, change: dict[str, Any], path: str, says: str
) -> None:
    trace = await traced(client, model="letters", text="abcdef")
    body = {"trace_id": trace["trace_id"], "interventions": [change]}
    answer = await client.post("/v1/traces", json=body)
    assert answer.status_code == 422, answer.text
    fault = answer.json()["errors"][0]
    assert fault["path"] == path
    assert says in fault["message"]


@pytest.mark.parametrize(
    ("view", "query", "says"),
    [
        ("window", {"tensor": "forget"}, "layer 0 shows no 'forget', but reset, update"),
        ("window", {"layer": 1}, "there is no layer 1"),
        ("window", {"units": "0-6"}, "units 0 to 5, and no 6"),
        ("window", {"units": "2,1-3"}, "name each unit once"),
        ("window", {"units": "3-1"}, "ends before it begins"),
        ("window", {"units": "a"}, "neither a unit nor a range"),
        ("window", {"from": 4, "to": 4}, "steps from 0 to 6, not from 4 to 4"),
        ("window", {"to": 7}, "steps from 0 to 6"),
        ("window", {"encoding": "float16"}, "query.encoding"),
        ("cell", {"step": 6}, "no step 6"),
        ("cell", {"unit": 6}, "units 0 to 5"),
        ("order", {"by": "colour"}, "query.by"),
        ("attribution", {"unit": 9}, "units 0 to 5"),
        ("sensitivity", {"output": 10}, "outputs are 0 to 9"),
        ("statistics", {"layer": 3}, "there is no layer 3"),
        ("comparison", {}, "query.with"),
    ],
)
async def test_views_that_a_trace_does_not_have(
    client: httpx.AsyncClient, view: str, query: dict[str, Any], says: str
) -> None:
    trace = await traced(client, model="letters", text="abcdef")
    path = f"/v1/traces/{trace['trace_id']}/{view}"
    assert says in await refused(client, path, 422, **query)


async def test_two_traces_that_cannot_be_compared(client: httpx.AsyncClient) -> None:
    one = await traced(client, model="letters", text="abc")
    path = f"/v1/traces/{one['trace_id']}/comparison"
    other = await traced(client, model="letters", text="abd")
    said = await refused(client, path, 422, **{"with": other["trace_id"]})
    assert "do not end with the same inputs" in said
    deep = await traced(client, model="letters-deep", text="abc")
    said = await refused(client, path, 422, **{"with": deep["trace_id"]})
    assert "compare two traces of one version" in said
    await refused(client, path, 404, **{"with": "none"})


async def test_too_much_is_refused_with_the_limit(
    repository: Path, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.traces.asking.MOST_NUMBERS", 100)
    async with served(repository, models, trace_bytes=65_536, max_traces=2) as client:
        answer = await client.post("/v1/traces", json={"model": "letters", "text": "a" * 10_000})
        assert answer.status_code == 413
        assert "--trace-bytes" in answer.json()["detail"]
        trace = await traced(client, model="letters", text="a" * 20)
        path = f"/v1/traces/{trace['trace_id']}/window"
        assert "at most 100" in await refused(client, path, 413)
        assert (await client.get(path, params={"columns": 8})).status_code == 200
        assert "smaller `depth`" in await refused(
            client, path.replace("window", "sensitivity"), 413, depth=2001
        )
        await traced(client, model="letters", text="ab")
        answer = await client.post("/v1/traces", json={"model": "letters", "text": "ab"})
        assert answer.status_code == 503
        assert answer.json()["code"] == "too_many_traces"
