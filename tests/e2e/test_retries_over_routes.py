"""One key over HTTP, items, messages and binary records: one request, applied once."""

from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest
from websockets.sync.client import ClientConnection

from tests.e2e.keyed_steps import WAYS, KeyedStep, Sender, Way
from tests.e2e.requests import apply_steps, inputs_for, new_session, state_of, weather_inputs
from tests.e2e.streams import ask, open_stream
from tests.service_process import ServiceProcess

MODELS = ["weather", "letters-deep"]
WRITER = "gateway-1"
ROUTES = HTTP, ITEM, MESSAGE, RECORD = Way("http"), Way("item"), Way("message"), Way("record")
KEPT = 8
"""Receipts of one session."""


@pytest.fixture
def socket(service: ServiceProcess) -> Iterator[ClientConnection]:
    with open_stream(service) as connection:
        yield connection


@pytest.fixture
def sender(client: httpx.Client, socket: ClientConnection) -> Sender:
    return Sender(client, socket)


def assert_one_request(client: httpx.Client, sender: Sender, step: KeyedStep, first: Way) -> None:
    """Send a step one way, and again every way."""
    apply_steps(client, step.session_id, step.inputs)
    answer = sender.send(step, first)
    assert (answer.problem, answer.replayed) == (None, False)
    left = state_of(client, step.session_id)
    assert left["step"] == answer.step == 2 * len(step.inputs)
    for way in filter(step.may_go, WAYS):
        assert sender.send(step, way) == replace(answer, replayed=True), way
    assert state_of(client, step.session_id) == left


def first_ways(model: str) -> list[Way]:
    return [way for way in WAYS if model.startswith("letters") or not way.as_text]


EVERY_FIRST = [(model, way) for model in MODELS for way in first_ways(model)]


@pytest.mark.parametrize(("model", "first"), EVERY_FIRST, ids=str)
def test_a_retry_every_way_gets_the_same_answer(
    client: httpx.Client, sender: Sender, model: str, first: Way
) -> None:
    key = str(2**64 - 1) if first.spaced else "7"
    step = KeyedStep(new_session(client, model), inputs_for(model, 3), key)
    assert_one_request(client, sender, step, first)


@pytest.mark.parametrize(("model", "first"), EVERY_FIRST, ids=str)
def test_a_number_is_one_request_every_way(
    client: httpx.Client, sender: Sender, model: str, first: Way
) -> None:
    session_id = new_session(client, model)
    for number in range(1, 5):
        earlier = KeyedStep(session_id, inputs_for(model, 1), writer=WRITER, number=number)
        assert sender.send(earlier, first).problem is None
    step = KeyedStep(session_id, inputs_for(model, 2), writer=WRITER, number=5)
    answer = sender.send(step, first)
    assert (answer.step, answer.replayed) == (6, False)
    for way in filter(step.may_go, WAYS):
        assert sender.send(step, way) == replace(answer, replayed=True), way
    as_text = replace(step, key=step.text_key, writer=None)
    assert sender.send(as_text, MESSAGE) == replace(answer, replayed=True)
    assert state_of(client, session_id)["step"] == 6


def test_a_text_with_a_zero_in_front_is_another_key_than_the_number(
    client: httpx.Client, sender: Sender
) -> None:
    session_id = new_session(client, "weather")
    for key, way in (("7", RECORD), ("07", HTTP), ("+7", ITEM), ("7.0", MESSAGE)):
        answer = sender.send(KeyedStep(session_id, weather_inputs(1), key), way)
        assert (answer.problem, answer.replayed) == (None, False), key
    assert state_of(client, session_id)["step"] == 4


@pytest.mark.parametrize("first", ROUTES, ids=str)
def test_other_inputs_under_a_key_are_refused_every_way(
    client: httpx.Client, sender: Sender, first: Way
) -> None:
    step = KeyedStep(new_session(client, "letters"), [1, 2], "7")
    assert sender.send(step, first).problem is None
    others = ({"inputs": [1, 3]}, {"inputs": [1]}, {"gates": True})
    for other in (replace(step, **fields) for fields in others):
        for way in filter(other.may_go, WAYS):
            refused = sender.send(other, way)
            assert (refused.status, refused.problem) == (422, "idempotency_key_reused"), way
    assert state_of(client, step.session_id)["step"] == 2


@pytest.mark.parametrize("first", ROUTES, ids=str)
def test_all_gates_are_one_selection_and_others_are_not(
    client: httpx.Client, sender: Sender, first: Way
) -> None:
    rows = weather_inputs(2)
    step = KeyedStep(new_session(client, "weather-deep"), rows, "7", gates=True)
    assert_one_request(client, sender, step, first)
    in_full = {"include": ["hidden", "candidate", "update", "reset"], "steps": "all"}
    for way in (HTTP, ITEM, MESSAGE):
        again = sender.send(replace(step, gates=in_full), way)
        assert (again.problem, again.replayed) == (None, True), way
        for selection in ({"steps": "last"}, {"layers": [0]}, {"units": [1, 0]}, False):
            refused = sender.send(replace(step, gates=selection), way)
            assert refused.problem == "idempotency_key_reused", (way, selection)
    assert sender.send(replace(step, gates=False), RECORD).problem == ("idempotency_key_reused")


@pytest.mark.parametrize("first", ROUTES, ids=str)
def test_a_number_that_is_not_kept_is_not_applied(
    client: httpx.Client, socket: ClientConnection, sender: Sender, first: Way
) -> None:
    """Neither one whose receipt made way, nor one that was left out."""
    session_id = new_session(client, "weather")
    numbers = [1, 2, *range(4, 4 + KEPT)]
    for number in numbers:
        step = KeyedStep(session_id, weather_inputs(1), writer=WRITER, number=number)
        assert sender.send(step, first).problem is None
    shown = ask(socket, "open", session_id=session_id, writer=WRITER)
    assert shown["number"] == numbers[-1]
    for number in (1, 2, 3):
        for way in ROUTES:
            refused = sender.send(replace(step, number=number), way)
            assert (refused.status, refused.problem) == (409, "answer_not_kept"), (number, way)
            assert refused.step == len(numbers)
    for number in range(4, 4 + KEPT):
        for way in ROUTES:
            assert sender.send(replace(step, number=number), way).replayed, (number, way)
    assert state_of(client, session_id)["step"] == len(numbers)


@pytest.mark.parametrize("way", ROUTES, ids=str)
def test_a_new_writer_begins_at_1(
    client: httpx.Client, socket: ClientConnection, sender: Sender, way: Way
) -> None:
    session_id = new_session(client, "weather")
    assert ask(socket, "open", session_id=session_id, writer=WRITER)["number"] == 0
    step = KeyedStep(session_id, weather_inputs(1), writer=WRITER, number=3)
    refused = sender.send(step, way)
    assert (refused.status, refused.problem, refused.step) == (409, "writer_unknown", 0)
    assert sender.send(replace(step, number=1), way).step == 1
    assert sender.send(step, way).step == 2, "numbers may be left out"
    assert ask(socket, "open", session_id=session_id, writer=WRITER)["number"] == 3
    assert ask(socket, "open", session_id=session_id, writer="another")["number"] == 0
    assert "number" not in ask(socket, "open", session_id=session_id)


def test_each_writer_has_its_own_numbers(client: httpx.Client, sender: Sender) -> None:
    session_id = new_session(client, "weather")
    step = KeyedStep(session_id, weather_inputs(1), writer=WRITER, number=1)
    for taken, way in enumerate(ROUTES, 1):
        assert sender.send(replace(step, writer=f"writer-{way}"), way).step == taken
    assert state_of(client, session_id)["step"] == 4


def test_a_writer_s_numbers_make_sessions_once_too(
    client: httpx.Client, socket: ClientConnection
) -> None:
    body = {"model": "weather", "session_id": "of-a-writer"}
    made = ask(socket, "open", id=1, writer=WRITER, **body)
    assert (made["type"], made["number"]) == ("open", 1)
    assert ask(socket, "open", id=1, writer=WRITER, **body) == made | {"replayed": True}
    headers = {"idempotency-key": f"{WRITER}:1"}
    created = client.post("/v1/sessions", json=body, headers=headers)
    assert created.status_code == 201, created.text
    assert created.headers["idempotent-replayed"] == "true"
    assert created.headers["etag"] == made["etag"]
