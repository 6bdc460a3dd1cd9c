"""Models of quantiles, labels, classes, items, missing values and inputs known ahead, over HTTP."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from service.edges.v1.schemas import (
    ModelAnswer,
    RolloutAnswer,
    SequencesAnswer,
    StepsAnswer,
)
from tests.e2e.requests import apply_steps, floats, new_session, state_of, weather_inputs
from tests.e2e.streams import ask, block, open_stream, opened, records
from tests.e2e.test_rollout_events import roll
from tests.new_kinds import CLASSES, ITEMS, LEVELS, NOTES
from tests.service_process import ServiceProcess, running_service

ROW = [20.0, 1000.0, 0.5]
CHORD = [1.0, 0.0, 1.0]
AHEAD = [[0.4, 1001.0], [0.3, 1002.0], [0.2, 1003.0]]
"""Humidity and pressure."""


@pytest.fixture(scope="module")
def running(new_kinds: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    folder = tmp_path_factory.mktemp("new kinds")
    store = f"sqlite:///{folder / 'sessions.db'}"
    with running_service(new_kinds, store, folder / "log") as process:
        yield process


@pytest.fixture(scope="module")
def client(running: ServiceProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.url, timeout=30) as client:
        yield client


def rollout(client: httpx.Client, session_id: str, **body: object) -> dict[str, Any]:
    answer = client.post(f"/v1/sessions/{session_id}/rollout", json=body)
    assert answer.status_code == 200, answer.text
    RolloutAnswer.model_validate(answer.json())
    found: dict[str, Any] = answer.json()
    return found


def fault(answer: httpx.Response, status: int = 422) -> tuple[str, str]:
    assert answer.status_code == status, answer.text
    (first, *_) = answer.json()["errors"]
    return first["path"], first["message"]


@pytest.mark.parametrize("model", ["quantiles", "exogenous", "gaps", "labels", "classes", "items"])
def test_every_kind_is_described_and_takes_its_example(client: httpx.Client, model: str) -> None:
    described = ModelAnswer.model_validate(client.get(f"/v1/models/{model}").json())
    session_id = new_session(client, model)
    answer = client.post(f"/v1/sessions/{session_id}/steps", json=described.example)
    StepsAnswer.model_validate(answer.json())
    whole = client.post(
        f"/v1/models/{model}/sequences", json={"inputs": [described.example["inputs"]]}
    )
    SequencesAnswer.model_validate(whole.json())


def test_quantiles_are_forecast_with_what_is_known_ahead(client: httpx.Client) -> None:
    session_id, by_hand = new_session(client, "quantiles"), new_session(client, "quantiles")
    stepped = apply_steps(client, session_id, [ROW], horizon=4, future=AHEAD)
    assert stepped["step"] == 1
    assert stepped["forecast"][0] == stepped["outputs"][-1]
    assert np.shape(stepped["forecast"]) == (4, len(LEVELS))
    outputs = [apply_steps(client, by_hand, [ROW])["outputs"][0]]
    for humidity, pressure in AHEAD:
        row = [outputs[-1][LEVELS.index(0.5)], pressure, humidity]
        outputs.append(apply_steps(client, by_hand, [row])["outputs"][0])
    np.testing.assert_allclose(floats(stepped["forecast"]), floats(outputs), rtol=1e-5)
    ahead = rollout(client, session_id, steps=4, future=AHEAD)
    assert (ahead["outputs"], ahead["step"]) == (stepped["forecast"], 1)
    events = roll(client, session_id, {"steps": 4, "future": AHEAD})
    assert [data["output"] for name, data in events if name == "output"] == ahead["outputs"]


@pytest.mark.parametrize(
    ("future", "path", "named"),
    [
        (None, "$.future", "expected 3 rows (humidity, pressure)"),
        ([], "$.future", "found 0"),
        (AHEAD[:2], "$.future", "found 2"),
        ([*AHEAD, [0.1, 1.0]], "$.future[3]", "found 4"),
        ([[0.4], *AHEAD[1:]], "$.future[0]", "expected 2 numbers (humidity, pressure), found 1"),
        ([*AHEAD[:2], [0.2, "1"]], "$.future[2][1]", "number"),
        ([*AHEAD[:2], [0.2, None]], "$.future[2][1]", "without missing values"),
    ],
)
@pytest.mark.parametrize("route", ["steps", "rollout"])
def test_what_is_known_ahead_is_one_row_for_each_output_fed_back(
    client: httpx.Client, route: str, future: object, path: str, named: str
) -> None:
    session_id = new_session(client, "exogenous")
    count = {"horizon": 4} if route == "steps" else {"steps": 4}
    body = {"inputs": [ROW], **count, **({} if future is None else {"future": future})}
    found = fault(client.post(f"/v1/sessions/{session_id}/{route}", json=body))
    assert found[0] == path
    assert named in found[1]
    assert state_of(client, session_id)["step"] == 0


def test_one_output_needs_nothing_ahead(client: httpx.Client) -> None:
    session_id = new_session(client, "exogenous")
    assert len(apply_steps(client, session_id, [ROW], horizon=1)["forecast"]) == 1
    assert len(rollout(client, session_id, steps=1, future=[])["outputs"]) == 1


def test_inputs_that_nothing_feeds_are_named(client: httpx.Client) -> None:
    session_id = new_session(client, "classes")
    body = {"inputs": [ROW], "horizon": 3}
    path, message = fault(client.post(f"/v1/sessions/{session_id}/steps", json=body))
    assert (path, "its outputs are probabilities of 3 classes" in message) == ("$.horizon", True)
    path, _ = fault(client.post(f"/v1/sessions/{session_id}/rollout", json={"steps": 3}))
    assert path == "$.steps"


def test_labels_are_said_and_drawn(client: httpx.Client) -> None:
    session_id = new_session(client, "labels")
    stepped = apply_steps(client, session_id, [CHORD], horizon=3)
    for said, output in zip(stepped["next"], stepped["outputs"], strict=True):
        likely = {name: p for name, p in zip(NOTES, output, strict=True) if p >= 0.5}
        assert {one["label"]: one["probability"] for one in said} == likely
        assert all(a["probability"] >= b["probability"] for a, b in pairwise(said))
    assert stepped["forecast"][0] == stepped["outputs"][-1], "probabilities, not draws"
    drawn = rollout(client, session_id, steps=30, seed=3)
    assert (drawn["seed"], drawn["step"]) == (3, 1)
    assert set(np.unique(drawn["outputs"])) == {0.0, 1.0}
    for labels, row in zip(drawn["labels"], drawn["outputs"], strict=True):
        assert labels == [name for name, one in zip(NOTES, row, strict=True) if one]
    assert rollout(client, session_id, steps=30, seed=3) == drawn
    assert rollout(client, session_id, steps=30, seed=4)["labels"] != drawn["labels"]
    events = roll(client, session_id, {"steps": 30, "seed": 3})
    assert [data["labels"] for name, data in events if name == "output"] == drawn["labels"]
    likely = rollout(client, session_id, steps=3, temperature=0)["outputs"]
    assert likely == [[float(p >= 0.5) for p in row] for row in stepped["forecast"]]


@pytest.mark.parametrize("field", [{"top_k": 3}, {"stop": ["C4"]}])
def test_labels_have_no_order(client: httpx.Client, field: dict[str, Any]) -> None:
    session_id = new_session(client, "labels")
    body = {"inputs": [CHORD], "steps": 3, **field}
    path, message = fault(client.post(f"/v1/sessions/{session_id}/rollout", json=body))
    assert path == f"$.{next(iter(field))}"
    assert "labels, which are drawn by seed and temperature alone" in message


def test_classes_say_the_likely_one_after_every_step(client: httpx.Client) -> None:
    stepped = apply_steps(client, new_session(client, "classes"), weather_inputs(3))
    for said, output in zip(stepped["likely"], stepped["outputs"], strict=True):
        assert said == {"class": CLASSES[int(np.argmax(output))], "probability": max(output)}
    answer = client.post("/v1/models/classes/sequences", json={"inputs": [weather_inputs(3)]})
    assert [len(one["likely"]) for one in answer.json()["sequences"]] == [3]


def test_items_come_and_go_by_name(client: httpx.Client) -> None:
    session_id, by_ids = new_session(client, "items"), new_session(client, "items")
    stepped = apply_steps(client, session_id, ["item 3", 1])
    assert stepped["outputs"] == apply_steps(client, by_ids, [3, 1])["outputs"]
    for said in stepped["next"]:
        assert all(one["item"] == ITEMS[one["token"]] for one in said)
    rolled = rollout(client, session_id, steps=40, seed=1, stop=["item 2"])
    assert rolled["items"] == [ITEMS[token] for token in rolled["tokens"]]
    assert rolled["stopped"] is True
    assert rolled["items"].index("item 2") == len(rolled["items"]) - 1
    assert rolled["step"] == 2 + len(rolled["items"]) - 1, "it goes on, as text does"
    assert "text" not in rolled
    assert rollout(client, session_id, steps=3, seed=1, stop=[])["stopped"] is False
    body = {"inputs": ["item 1", "item x"]}
    path, message = fault(client.post(f"/v1/sessions/{session_id}/steps", json=body))
    assert (path, "'item x'" in message) == ("$.inputs[1]", True)
    path, message = fault(client.post(f"/v1/sessions/{session_id}/steps", json={"text": "item"}))
    assert (path, "names of items" in message) == ("$.text", True)
    path, message = fault(
        client.post(f"/v1/sessions/{session_id}/steps", json=body | {"horizon": 2})
    )
    assert (path, "rollout" in message) == ("$.horizon", True)


def test_a_rollout_of_a_new_session_has_nothing_to_begin_from(client: httpx.Client) -> None:
    session_id = new_session(client, "gaps")
    path = f"/v1/sessions/{session_id}"
    for headers in ({}, {"accept": "text/event-stream"}):
        refused = client.post(f"{path}/rollout", json={"steps": 3}, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (409, "no_output_yet")
    apply_steps(client, session_id, [ROW])
    assert len(rollout(client, session_id, steps=3)["outputs"]) == 3
    body = {name: state_of(client, session_id)[name] for name in ("step", "state")}
    assert client.put(f"{path}/state", json=body).is_success
    refused = client.post(f"{path}/rollout", json={"steps": 3})
    assert refused.json()["code"] == "no_output_yet"


MISSING = [[None, 1000.0, 0.5], [20.0, None, None]]


def test_missing_values_come_over_every_route(
    client: httpx.Client, running: ServiceProcess
) -> None:
    expected = apply_steps(client, new_session(client, "gaps"), MISSING)["outputs"]
    assert np.isfinite(expected).all()
    long = apply_steps(client, new_session(client, "gaps"), MISSING * 2000)
    np.testing.assert_allclose(floats(long["outputs"][:2]), floats(expected), rtol=1e-5)
    whole = client.post("/v1/models/gaps/sequences", json={"inputs": [MISSING]}).json()
    np.testing.assert_allclose(
        floats(whole["sequences"][0]["outputs"]), floats(expected), rtol=1e-5
    )
    items = [{"session_id": new_session(client, "gaps"), "inputs": MISSING} for _ in range(2)]
    for item in client.post("/v1/steps", json={"items": items}).json()["items"]:
        np.testing.assert_allclose(floats(item["outputs"]), floats(expected), rtol=1e-5)
    with open_stream(running) as socket:
        session_id, _ = opened(socket, model="gaps")
        said = ask(socket, "step", session_id=session_id, inputs=MISSING)
        np.testing.assert_allclose(floats(said["outputs"]), floats(expected), rtol=1e-5)
        _, handle = opened(socket, model="gaps")
        socket.send(block(floats([MISSING]), [handle], [7]))
        (record,) = records(socket, 1)
        np.testing.assert_allclose(record.outputs, floats(expected), rtol=1e-5)


def test_a_retry_with_missing_values_is_the_same_request(client: httpx.Client) -> None:
    session_id = new_session(client, "gaps")
    headers = {"idempotency-key": "k"}
    path = f"/v1/sessions/{session_id}/steps"
    first = client.post(path, json={"inputs": MISSING}, headers=headers)
    again = client.post(path, json={"inputs": MISSING}, headers=headers)
    assert (first.content, again.headers["idempotent-replayed"]) == (again.content, "true")
    other = client.post(path, json={"inputs": [[0.0, 1000.0, 0.5], MISSING[1]]}, headers=headers)
    assert other.json()["code"] == "idempotency_key_reused"


@pytest.mark.parametrize("many", [1, 2000])
def test_a_model_without_them_refuses_missing_values_at_their_place(
    client: httpx.Client, many: int
) -> None:
    session_id = new_session(client, "classes")
    body = {"inputs": [ROW] * many + MISSING}
    path, message = fault(client.post(f"/v1/sessions/{session_id}/steps", json=body))
    assert path == f"$.inputs[{many}][0]"
    assert "this model was trained without missing values" in message
    path, message = fault(client.post("/v1/models/classes/sequences", json={"inputs": [MISSING]}))
    assert (path, "without missing values" in message) == ("$.inputs[0][0][0]", True)


def test_nan_in_a_frame_is_refused_by_a_model_without_missing_values(
    running: ServiceProcess,
) -> None:
    with open_stream(running) as socket:
        for model, wrong, reason in (
            ("classes", np.nan, "without missing values"),
            ("classes", np.inf, "finite"),
            ("gaps", np.inf, "finite"),
        ):
            _, handle = opened(socket, model=model)
            socket.send(block(floats([[ROW, [20.0, wrong, 0.5]]]), [handle], [7]))
            (record,) = records(socket, 1)
            assert record.problem is not None
            (refused,) = record.problem["errors"]
            assert refused["path"] == "$.inputs[1][1]"
            assert reason in refused["message"]


@pytest.mark.parametrize("field", ["horizon", "future"])
def test_items_and_messages_have_no_horizon(
    client: httpx.Client, running: ServiceProcess, field: str
) -> None:
    session_id = new_session(client, "gaps")
    item = {"session_id": session_id, "inputs": [ROW], field: 3}
    (refused,) = client.post("/v1/steps", json={"items": [item]}).json()["items"]
    assert refused["problem"]["errors"][0]["path"] == f"$.items[0].{field}"
    with open_stream(running) as socket:
        opened(socket, session_id=session_id)
        answer = ask(socket, "step", **item)
    assert answer["problem"]["errors"][0]["path"] == f"$.{field}"
    assert state_of(client, session_id)["step"] == 0
