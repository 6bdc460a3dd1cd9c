"""WS /v1/stream: every message can be answered, whatever its `id` and its metadata."""

import json

import pytest

from tests.e2e.streams import ask, open_stream, opened, receive
from tests.service_process import ServiceProcess

ROW = [20.0, 1000.0, 0.5]


@pytest.mark.parametrize(
    "id_",
    [
        *(str(2**53), str(2**63), str(2**64), str(2**70), "-1", str(-(2**70)), "9" * 5000),
        *("1.5", "1e3", "1e400", "true", "[1]", "{}", '""'),
        *(r'"\ud800"', r'"\udc00"', '"' + "x" * 256 + '"'),
    ],
    ids=lambda id_: id_[:24],
)
def test_an_id_that_cannot_come_back(service: ServiceProcess, id_: str) -> None:
    """Nothing of the message is applied, what came before it is answered, the socket goes on."""
    with open_stream(service) as socket:
        session_id, _ = opened(socket, model="weather")
        step = {"type": "step", "session_id": session_id, "inputs": [ROW]}
        socket.send(json.dumps(step | {"id": 1}))
        socket.send(json.dumps(step | {"id": 0})[:-2] + id_ + "}")
        socket.send(json.dumps(step | {"id": 2}))
        answers = {answer.get("id"): answer for answer in (receive(socket) for _ in range(3))}
    assert [answers[number]["step"] for number in (1, 2)] == [1, 2]
    assert answers[None]["type"] == "error"
    assert answers[None]["problem"]["errors"][0]["path"] in ("$.id", "$")


def test_an_id_of_every_length_that_is_allowed_comes_back(service: ServiceProcess) -> None:
    with open_stream(service) as socket:
        session_id, _ = opened(socket, model="weather")
        for id_ in (0, 2**53 - 1, "x" * 255, "\U0001f600\0\n"):
            answer = ask(socket, "step", id=id_, session_id=session_id, inputs=[ROW])
            assert answer["id"] == id_
            assert answer["type"] == "step"


def test_metadata_have_numbers_of_any_length(service: ServiceProcess) -> None:
    metadata = {"large": 2**70, "small": -(2**70), "name": "Zürich 😀"}
    with open_stream(service) as socket:
        begun = ask(socket, "open", model="weather", metadata=metadata)
        assert (begun["type"], begun["metadata"]) == ("open", metadata)
        for kind in ("get", "fork"):
            answer = ask(socket, kind, session_id=begun["session_id"])
            assert (answer["type"], answer["metadata"]) == (kind, metadata)
