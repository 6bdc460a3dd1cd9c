"""Sessions that are recorded, as a client sees them. The store and its processes have tests of
their own."""

from typing import Any

import httpx
import numpy as np

from tests.oracle import assert_agrees
from tests.unit.edges.inspector.asking import drawn, shown, traced
from tests.unit.edges.inspector.traced import Expected


async def step(client: httpx.AsyncClient, session_id: str, inputs: list[Any]) -> None:
    answer = await client.post(f"/v1/sessions/{session_id}/steps", json={"inputs": inputs})
    assert answer.status_code == 200, answer.text


async def begun(client: httpx.AsyncClient, model: str, session_id: str) -> None:
    answer = await client.post("/v1/sessions", json={"model": model, "session_id": session_id})
    assert answer.status_code == 201


async def test_what_a_session_is_given_from_now_on(client: httpx.AsyncClient) -> None:
    inputs = drawn("weather-deep")
    await begun(client, "weather-deep", "a")
    await step(client, "a", inputs[:20].tolist())
    trace = await traced(client, session_id="a")
    assert trace["kind"] == "recorded"
    assert (trace["from"], trace["to"], trace["dropped_before"]) == (20, 20, None)
    path = f"/v1/traces/{trace['trace_id']}"
    empty = await client.get(f"{path}/window")
    assert (empty.status_code, empty.json()["code"]) == (409, "trace_empty")
    for at in range(20, 45):
        await step(client, "a", inputs[at : at + 1].tolist())
    await step(client, "a", inputs[45:].tolist())
    found = (await client.get(path)).json()
    assert (found["from"], found["to"], found["session_id"]) == (20, 50, "a")
    expected = Expected.of("weather-deep", inputs)
    for layer in range(3):
        for tensor in ("reset", "update", "hidden", "candidate_history"):
            query = {"layer": layer, "tensor": tensor}
            values = (await shown(client, trace["trace_id"], "window", **query))["values"]
            assert_agrees(np.array(values), expected.tensor(tensor, layer)[20:], 1e-4)


async def test_a_session_is_recorded_once(client: httpx.AsyncClient) -> None:
    await begun(client, "letters", "a")
    trace = await traced(client, session_id="a")
    again = await client.post("/v1/traces", json={"session_id": "a"})
    assert again.status_code == 200
    assert again.json()["trace_id"] == trace["trace_id"]
    listed = await client.get("/v1/traces", params={"session_id": "a"})
    assert [one["trace_id"] for one in listed.json()["traces"]] == [trace["trace_id"]]
    assert (await client.get("/v1/traces", params={"session_id": "b"})).json() == {"traces": []}


async def test_a_state_that_is_replaced_begins_anew(client: httpx.AsyncClient) -> None:
    await begun(client, "letters", "a")
    trace = await traced(client, session_id="a")
    await step(client, "a", drawn("letters", 5).tolist())
    await client.put("/v1/sessions/a/state", json={"step": 100, "state": [0.0] * 6})
    inputs = drawn("letters", 7, seed=1)
    await step(client, "a", inputs.tolist())
    found = (await client.get(f"/v1/traces/{trace['trace_id']}")).json()
    assert (found["from"], found["to"], found["dropped_before"]) == (100, 107, 100)
    values = (await shown(client, trace["trace_id"], "window"))["values"]
    assert_agrees(np.array(values), Expected.of("letters", inputs).tensor("hidden", 0), 1e-4)


async def test_a_rollout_is_recorded_with_what_was_fed_back(client: httpx.AsyncClient) -> None:
    await begun(client, "letters", "a")
    trace = await traced(client, session_id="a")
    body = {"text": "abc", "steps": 6, "seed": 1}
    rolled = (await client.post("/v1/sessions/a/rollout", json=body)).json()
    found = await shown(client, trace["trace_id"], "inputs")
    assert found["text"] == "abc" + rolled["text"][:-1]


async def test_a_fork_of_a_recorded_session_touches_nothing(client: httpx.AsyncClient) -> None:
    inputs = drawn("letters", 30)
    await begun(client, "letters", "a")
    trace = await traced(client, session_id="a")
    await step(client, "a", inputs.tolist())
    before = (await client.get("/v1/sessions/a/state")).json()
    change = {"gate": "update", "units": [1], "value": 1.0}
    made = await traced(client, trace_id=trace["trace_id"], interventions=[change])
    other = await traced(client, trace_id=trace["trace_id"], at=10, text="abc")
    assert (made["kind"], other["kind"]) == ("intervention", "fork")
    assert (await client.get("/v1/sessions/a/state")).json() == before
    # And the copies stay as they are when the session goes on.
    await step(client, "a", inputs.tolist())
    assert (await client.get(f"/v1/traces/{made['trace_id']}")).json()["to"] == 30


async def test_a_session_that_nobody_has_begun(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/traces", json={"session_id": "none"})
    assert (answer.status_code, answer.json()["code"]) == (404, "session_not_found")


async def test_a_trace_outlives_its_session(client: httpx.AsyncClient) -> None:
    await begun(client, "letters", "a")
    trace = await traced(client, session_id="a")
    await step(client, "a", [1, 2, 3])
    await client.delete("/v1/sessions/a")
    assert (await shown(client, trace["trace_id"], "inputs"))["text"] == "bcd"
