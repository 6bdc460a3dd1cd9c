"""WS /v1/stream with messages: what a client sends, and what it gets."""

import json

import httpx
import numpy as np
import pytest
from websockets.sync.client import ClientConnection

from service.edges.v1.stream.window import MAX_UNANSWERED
from tests.e2e.requests import apply_steps, inputs_for, new_session, state_of, weather_inputs
from tests.e2e.streams import ask, block, open_stream, opened, parse, records
from tests.service_process import ServiceProcess

MODELS = ["weather", "weather-deep", "letters", "letters-deep"]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("time", [1, 5])
def test_messages_records_and_http_answer_the_same(
    service: ServiceProcess, client: httpx.Client, model: str, time: int
) -> None:
    inputs = inputs_for(model, time)
    wanted = apply_steps(client, new_session(client, model), inputs, gates=True)
    numbers = np.array([inputs], np.float32 if model.startswith("weather") else np.int64)
    with open_stream(service) as socket:
        by_text, _ = opened(socket, model=model)
        by_record, handle = opened(socket, model=model)
        answer = ask(socket, "step", id=7, session_id=by_text, inputs=inputs, gates=True)
        etag = client.get(f"/v1/sessions/{by_text}").headers["etag"]
        identity = {"type": "step", "id": 7, "session_id": by_text, "etag": etag}
        assert answer == wanted | identity
        socket.send(block(numbers, [handle], [2**64 - 1], gates=True))
        [record] = records(socket, 1)
    assert (record.id, record.handle, record.step, record.replayed) == (
        2**64 - 1,
        handle,
        time,
        False,
    )
    assert client.get(f"/v1/sessions/{by_record}").headers["etag"] == f'"{record.revision:x}"'
    np.testing.assert_array_equal(record.outputs, np.array(wanted["outputs"], np.float32))
    assert record.gates is not None
    for index, name in enumerate(("reset", "update", "candidate", "hidden")):
        layers = [np.array(layer[name], np.float32) for layer in wanted["gates"]["layers"]]
        np.testing.assert_array_equal(record.gates[index], np.concatenate(layers, axis=1))


def test_open_get_fork_and_close(service: ServiceProcess, client: httpx.Client) -> None:
    with open_stream(service) as socket:
        made = ask(
            socket, "open", id="make", model="weather", ttl_seconds=60.0, metadata={"site": "n"}
        )
        session_id = made["session_id"]
        shown = client.get(f"/v1/sessions/{session_id}")
        assert made == shown.json() | {
            "type": "open",
            "id": "make",
            "handle": 1,
            "etag": shown.headers["etag"],
        }
        ask(socket, "step", session_id=session_id, inputs=weather_inputs(3))
        shown = client.get(f"/v1/sessions/{session_id}")
        where = shown.json() | {"etag": shown.headers["etag"]}
        assert ask(socket, "get", id=0, session_id=session_id) == where | {"type": "get", "id": 0}
        assert ask(socket, "open", session_id=session_id) == where | {"type": "open", "handle": 1}
        fork = ask(socket, "fork", session_id=session_id, new_session_id=f"{session_id}-fork")
        assert (fork["session_id"], fork["step"], fork["handle"]) == (f"{session_id}-fork", 3, 2)
        closed = ask(socket, "close", id=1, session_id=session_id)
        assert closed == {"type": "close", "id": 1, "session_id": session_id, "deleted": False}
        refused = ask(socket, "step", id=2, session_id=session_id, inputs=weather_inputs(1))
        assert refused["problem"]["errors"][0]["path"] == "$.session_id"
        assert client.get(f"/v1/sessions/{session_id}").json()["step"] == 3
        deleted = ask(socket, "close", session_id=fork["session_id"], delete=True)
        assert deleted["deleted"] is True
        assert client.get(f"/v1/sessions/{fork['session_id']}").status_code == 410
        assert opened(socket, session_id=session_id) == (session_id, 3), "no handle comes twice"


def test_a_state_to_begin_with(service: ServiceProcess, client: httpx.Client) -> None:
    source = new_session(client, "weather")
    apply_steps(client, source, weather_inputs(4))
    state = state_of(client, source)["state"]
    with open_stream(service) as socket:
        session_id, _ = opened(socket, model="weather", state=state)
    assert state_of(client, session_id)["state"] == state


def test_steps_of_one_session_are_answered_in_order(
    service: ServiceProcess, client: httpx.Client
) -> None:
    """Pipelined to many sessions, of different lengths, as messages and as records."""
    rng = np.random.default_rng(0)
    with open_stream(service) as socket:
        sessions = dict(opened(socket, model="weather") for _ in range(8))
        names = list(sessions)
        consumed = dict.fromkeys(names, 0)
        sent: dict[str, list[tuple[int, int]]] = {name: [] for name in names}
        for number in range(400):
            name = names[rng.integers(8)]
            inputs = weather_inputs(int(rng.integers(1, 4)), number)
            consumed[name] += len(inputs)
            sent[name].append((number, consumed[name]))
            if rng.random() < 0.5:
                fields = {"id": number, "session_id": name, "inputs": inputs}
                socket.send(json.dumps({"type": "step", **fields}))
            else:
                socket.send(block(np.array([inputs], np.float32), [sessions[name]], [number]))
        came = _answers(socket, 400, {handle: name for name, handle in sessions.items()})
    assert came == sent
    for name in names:
        assert client.get(f"/v1/sessions/{name}").json()["step"] == consumed[name]


def _answers(
    socket: ClientConnection, count: int, names: dict[int, str]
) -> dict[str, list[tuple[int, int]]]:
    """By session: the ids and step counts of the answers, in the order in which they came."""
    came: dict[str, list[tuple[int, int]]] = {name: [] for name in names.values()}
    while sum(map(len, came.values())) < count:
        frame = socket.recv(timeout=20)
        if isinstance(frame, str):
            answer = json.loads(frame)
            came[answer["session_id"]].append((answer["id"], answer["step"]))
        else:
            for record in parse(frame):
                assert record.problem is None
                came[names[record.handle]].append((record.id, record.step))
    return came


def test_more_than_the_window_in_one_go(service: ServiceProcess) -> None:
    """What exceeds the window waits unread, and all of it is answered."""
    count = 3 * MAX_UNANSWERED
    with open_stream(service) as socket:
        _, handle = opened(socket, model="weather")
        inputs = np.array([weather_inputs(1)] * count, np.float32)
        socket.send(block(inputs, [handle] * count, range(count), at=range(count)))
        found = records(socket, count)
    assert [record.step for record in found] == list(range(1, count + 1))
