"""POST /v1/steps: many sessions in one request, each item for itself."""

from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from service.edges.v1.requests import MAX_ITEMS
from service.edges.v1.schemas import ManyStepsAnswer, StepsItemProblem
from service.sessions.receipts import KEPT_RECEIPTS
from tests.e2e.bad_bodies import GATES, GOOD, LETTERS_STEPS, WEATHER_STEPS, Bad
from tests.e2e.requests import (
    apply_steps,
    floats,
    inputs_for,
    new_session,
    state_of,
    weather_inputs,
)
from tests.service_process import client_of, running_service

MODELS = ["weather", "weather-deep", "letters", "letters-deep"]
Items = list[dict[str, Any]]


def send(client: httpx.Client, items: Items, **headers: str) -> Items:
    """The items of an answer, all of which are as they are described."""
    answer = client.post("/v1/steps", json={"items": items}, headers=headers)
    assert answer.status_code == 200, answer.text
    ManyStepsAnswer.model_validate_json(answer.content)
    answered: Items = answer.json()["items"]
    assert len(answered) == len(items)
    return answered


def codes(answered: Items) -> list[str | None]:
    return [item["problem"]["code"] if "problem" in item else None for item in answered]


def test_items_are_answered_like_requests_of_their_own(client: httpx.Client) -> None:
    bodies: Items = [
        {"inputs": inputs_for(model, time), **more}
        for model in MODELS
        for time in (1, 2, 5)
        for more in ({}, {"gates": {"steps": "last"}}, {"at": 0})
    ]
    bodies.append({"text": "bad cafe."})
    models = [model for model in MODELS for _ in range(9)] + ["letters"]
    together = [new_session(client, model) for model in models]
    alone = [new_session(client, model) for model in models]
    items = [{"session_id": one} | body for one, body in zip(together, bodies, strict=True)]
    for item, session_id, body, answered in zip(
        items, alone, bodies, send(client, items), strict=True
    ):
        answer = client.post(f"/v1/sessions/{session_id}/steps", json=body).json()
        etag = client.get(f"/v1/sessions/{item['session_id']}").headers["etag"]
        assert answered.pop("etag") == etag
        assert answered.keys() == answer.keys()
        assert answered["session_id"] == item["session_id"]
        assert answered["step"] == answer["step"]
        np.testing.assert_allclose(
            floats(answered["outputs"]), floats(answer["outputs"]), rtol=1e-5, atol=1e-5
        )


def test_items_of_one_session_are_applied_in_their_order(client: httpx.Client) -> None:
    sessions = [new_session(client, "weather") for _ in range(3)]
    inputs = weather_inputs(10)
    items = [{"session_id": one, "inputs": [row]} for row in inputs for one in sessions]
    answered = send(client, items)
    assert [item["step"] for item in answered] == [n for n in range(1, 11) for _ in sessions]
    whole = new_session(client, "weather")
    expected = floats(apply_steps(client, whole, inputs)["outputs"])
    for place in range(3):
        outputs = floats([item["outputs"][0] for item in answered[place::3]])
        np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-5)


def test_items_fail_one_by_one(client: httpx.Client) -> None:
    sessions = [new_session(client, "weather") for _ in range(4)]
    tag = client.get(f"/v1/sessions/{sessions[3]}").headers["etag"]
    step: dict[str, Any] = {"inputs": [[20, 1000, 0.5]]}
    items: list[Any] = [
        {"session_id": sessions[0]} | step,
        {"session_id": "nobody"} | step,
        {"session_id": sessions[1], "at": 1} | step,
        {"session_id": sessions[2], "if_match": '"0", "1"'} | step,
        {"session_id": sessions[2], "if_match": "5"} | step,
        {"session_id": sessions[2], "gates": {"layers": [1]}} | step,
        {"session_id": sessions[3], "if_match": tag} | step,
        {"session_id": sessions[0]} | step,
        5,
    ]
    answered = send(client, items)
    assert codes(answered) == [
        None,
        "session_not_found",
        "step_conflict",
        "precondition_failed",
        "invalid_input",
        "invalid_input",
        None,
        None,
        "invalid_input",
    ]
    paths = [item["problem"]["errors"][0]["path"] for item in (answered[n] for n in (4, 5, 8))]
    assert paths == ["$.items[4].if_match", "$.items[5].gates.layers[0]", "$.items[8]"]
    conflict = StepsItemProblem.model_validate(answered[2])
    assert conflict.problem.step == 0
    assert conflict.etag == client.get(f"/v1/sessions/{sessions[1]}").headers["etag"]
    assert [state_of(client, one)["step"] for one in sessions] == [2, 0, 0, 1]


ITEMS = [
    *(("weather", bad) for bad in (*WEATHER_STEPS, *GATES) if bad.code == "invalid_input"),
    *(("letters", bad) for bad in LETTERS_STEPS if bad.code == "invalid_input"),
]


@pytest.mark.parametrize("model", ["weather", "letters"])
def test_bad_items_are_named_and_their_neighbours_applied(client: httpx.Client, model: str) -> None:
    """Every bad body that the documentation names, as an item."""
    bad_items: list[Bad] = [bad for one, bad in ITEMS if one == model]
    assert len(bad_items) > 10
    for bad in bad_items:
        assert isinstance(bad.body, str)
        neighbour, other = new_session(client, "weather"), new_session(client, model)
        good = f'{{"session_id": "{neighbour}", "inputs": [{GOOD}]}}'
        comma = "" if bad.body == "{}" else ", "
        item = f'{{"session_id": "{other}"{comma}{bad.body[1:]}'
        body = f'{{"items": [{good}, {item}, {good}]}}'
        answer = client.post("/v1/steps", content=body)
        assert answer.status_code == 200, f"{bad}: {answer.text}"
        first, problem, last = answer.json()["items"]
        assert (first["step"], last["step"]) == (1, 2), bad
        assert problem["problem"]["status"] == bad.status, f"{bad}: {problem}"
        if bad.path is not None:
            paths = [error["path"] for error in problem["problem"]["errors"]]
            assert "$.items[1]" + bad.path[1:] in paths, f"{bad}: {paths}"
        assert state_of(client, other)["step"] == 0, bad


ITEM = '{"session_id": "a", "inputs": [[1, 2, 3]]}'


@pytest.mark.parametrize(
    ("body", "status", "path"),
    [
        ("", 400, "$"),
        ("{", 400, "$"),
        ("[]", 400, "$"),
        ("null", 400, "$"),
        (f'{{"items": [{ITEM}]}} x', 400, "$"),
        ("{}", 422, "$.items"),
        ('{"items": []}', 422, "$.items"),
        ('{"items": {}}', 422, "$.items"),
        (f'{{"items": [{ITEM}], "gates": true}}', 422, "$.gates"),
        (f'{{"items": [{",".join([ITEM] * (MAX_ITEMS + 1))}]}}', 422, "$.items"),
    ],
)
def test_a_request_that_is_wrong_as_a_whole(
    client: httpx.Client, body: str, status: int, path: str
) -> None:
    refused = client.post("/v1/steps", content=body)
    assert (refused.status_code, refused.json()["errors"][0]["path"]) == (status, path)


def test_one_tag_for_many_is_refused(client: httpx.Client) -> None:
    session_id = new_session(client, "weather")
    item = {"session_id": session_id, "inputs": weather_inputs(1)}
    refused = client.post("/v1/steps", json={"items": [item]}, headers={"if-match": "*"})
    assert refused.status_code == 422
    assert state_of(client, session_id)["step"] == 0


def test_a_retry_of_the_whole_moves_nothing_even_after_kill_9(
    repository: Path, tmp_path: Path
) -> None:
    store, key = f"sqlite:///{tmp_path / 'sessions.db'}", {"idempotency-key": "all of them"}
    with (
        running_service(repository, store, tmp_path / "log") as service,
        client_of(service.url) as client,
    ):
        sessions = [new_session(client, model) for model in MODELS]
        items: Items = [
            {"session_id": one, "inputs": inputs_for(model, time)}
            for time in (1, 3)
            for one, model in zip(sessions, MODELS, strict=True)
        ]
        items.append({"session_id": "comes later", "inputs": weather_inputs(1)})
        first = send(client, items, **key)
        assert codes(first) == [None] * 8 + ["session_not_found"]
        service.kill()
    with (
        running_service(repository, store, tmp_path / "log") as service,
        client_of(service.url) as client,
    ):
        again = send(client, items, **key)
        assert again[:8] == [item | {"replayed": True} for item in first[:8]]
        assert codes(again) == codes(first)
        assert [state_of(client, one)["step"] for one in sessions] == [4] * 4
        other = [items[0] | {"inputs": weather_inputs(1, seed=9)}]
        assert codes(send(client, other, **key)) == ["idempotency_key_reused"]


def test_keys_of_items_hold_in_whatever_company(client: httpx.Client) -> None:
    one, other = (new_session(client, "weather") for _ in range(2))
    keyed = {"session_id": one, "inputs": weather_inputs(1), "key": "mine"}
    plain = {"session_id": other, "inputs": weather_inputs(1)}
    first, _ = send(client, [keyed, plain])
    _, again = send(client, [plain, keyed], **{"idempotency-key": "of the request"})
    assert again == first | {"replayed": True}
    assert codes(send(client, [keyed | {"inputs": weather_inputs(2)}])) == [
        "idempotency_key_reused"
    ]
    assert [state_of(client, name)["step"] for name in (one, other)] == [1, 2]


def test_more_keys_than_a_session_keeps_are_refused(client: httpx.Client) -> None:
    session_id, other = new_session(client, "weather"), new_session(client, "weather")
    item = {"session_id": session_id, "inputs": weather_inputs(1)}
    items = [item] * (KEPT_RECEIPTS + 1) + [item | {"session_id": other}]
    first = send(client, items, **{"idempotency-key": "many"})
    assert codes(first) == [None] * KEPT_RECEIPTS + ["invalid_input", None]
    again = send(client, items, **{"idempotency-key": "many"})
    assert [item.get("replayed") for item in again] == [True] * KEPT_RECEIPTS + [None, True]
    assert state_of(client, session_id)["step"] == KEPT_RECEIPTS
    assert codes(send(client, items)) == [None] * len(items)


def test_the_bound_on_numbers_counts_all_items(repository: Path, tmp_path: Path) -> None:
    with (
        running_service(
            repository, "memory://", tmp_path / "log", "--max-numbers", "1000"
        ) as service,
        client_of(service.url) as client,
    ):
        sessions = [new_session(client, "letters") for _ in range(3)]
        # 10 outputs and a state of 6 a step.
        items: Items = [{"session_id": one, "text": "a" * 25} for one in sessions]
        answered = send(client, items)
        assert sorted(code or "" for code in codes(answered)) == ["", "", "invalid_input"]
        alone = send(client, items[2:])
        assert codes(alone) == [None]


def test_what_the_queue_has_no_room_for_fails_alone(repository: Path, tmp_path: Path) -> None:
    with (
        running_service(repository, "memory://", tmp_path / "log", "--max-queue", "4") as service,
        client_of(service.url) as client,
    ):
        sessions = [new_session(client, "weather") for _ in range(2)]
        items = [{"session_id": one, "inputs": weather_inputs(1)} for one in sessions * 3]
        answered = send(client, items)
        assert codes(answered) == [None] * 4 + ["overloaded"] * 2
        assert answered[5]["retry_after"] == 1
        assert [state_of(client, one)["step"] for one in sessions] == [2, 2]
