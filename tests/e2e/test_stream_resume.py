"""A stream that breaks: who resumes as docs/streaming.md says loses and doubles nothing."""

import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, ConnectionClosedError
from websockets.sync.client import ClientConnection

from service.sessions.receipts import KEPT_RECEIPTS
from tests.e2e.requests import apply_steps, floats, new_session, weather_inputs
from tests.e2e.streams import ask, block, open_stream, opened, receive, records
from tests.service_process import ServiceProcess, running_service

SESSIONS = [f"s{number}" for number in range(6)]
STEPS = 60
INPUTS = {name: weather_inputs(STEPS, seed) for seed, name in enumerate(SESSIONS)}


class Client:
    """Steps all sessions, with at most `depth` steps of a session unanswered."""

    def __init__(self, depth: int, *, keys: bool) -> None:
        self.outputs: dict[str, dict[int, list[float]]] = {name: {} for name in SESSIONS}
        self.replayed = 0
        self._depth = depth
        self._keys = keys

    def run(self, service: ServiceProcess, *, until: int) -> None:
        """From wherever the sessions are; ends, or dies, when so many answers are there."""
        with open_stream(service) as socket:
            unsent = {name: self._unsent(socket, name) for name in SESSIONS}
            under_way = dict.fromkeys(SESSIONS, 0)
            while True:
                for name in SESSIONS:
                    while unsent[name] and under_way[name] < self._depth:
                        self._send(socket, name, unsent[name].pop(0))
                        under_way[name] += 1
                if not any(under_way.values()):
                    return
                answer = receive(socket)
                under_way[answer["session_id"]] -= 1
                self._take(answer)
                # More answers than these may have been on their way when the service was killed.
                if 0 < until <= sum(map(len, self.outputs.values())):
                    service.kill()
                    until = 0

    def _unsent(self, socket: ClientConnection, name: str) -> list[int]:
        """With keys: all without an answer. With `at` alone: what the session has not consumed."""
        step = ask(socket, "open", session_id=name)["step"]
        begin = len(self.outputs[name]) if self._keys else step
        return list(range(begin, STEPS))

    def _send(self, socket: ClientConnection, name: str, number: int) -> None:
        fields = {"id": f"{name}-{number}"} if self._keys else {"id": number, "at": number}
        message = {"type": "step", "session_id": name, "inputs": [INPUTS[name][number]], **fields}
        socket.send(json.dumps(message))

    def _take(self, answer: dict[str, Any]) -> None:
        assert answer["type"] == "step", answer
        number = int(str(answer["id"]).split("-")[-1])
        assert answer["step"] == number + 1
        outputs = self.outputs[str(answer["session_id"])]
        assert number not in outputs, "answered twice"
        [outputs[number]] = answer["outputs"]
        self.replayed += answer.get("replayed", False) is True


@pytest.mark.parametrize("keys", [True, False], ids=["keys", "at"])
def test_killed_services_lose_and_double_nothing(
    repository: Path, tmp_path: Path, *, keys: bool
) -> None:
    store, log = f"sqlite:///{tmp_path / 'sessions.db'}", tmp_path / "log"
    client = Client(KEPT_RECEIPTS if keys else 25, keys=keys)
    for until in (100, 180, 0):
        with running_service(repository, store, log) as service:
            if until == 100:
                with open_stream(service) as socket:
                    for name in SESSIONS:
                        opened(socket, model="weather", session_id=name)
            try:
                client.run(service, until=until)
            except ConnectionClosed:
                assert until
            else:
                assert not until
                _compare(service, client, all_answered=keys)


def _compare(service: ServiceProcess, client: Client, *, all_answered: bool) -> None:
    with httpx.Client(base_url=service.url, timeout=20) as http:
        for name in SESSIONS:
            fresh = new_session(http, "weather")
            wanted = apply_steps(http, fresh, INPUTS[name])["outputs"]
            assert http.get(f"/v1/sessions/{name}").json()["step"] == STEPS
            answered = client.outputs[name]
            assert not all_answered or len(answered) == STEPS
            for number, outputs in answered.items():
                np.testing.assert_allclose(floats(outputs), floats(wanted[number]), rtol=1e-5)
            last = [http.get(f"/v1/sessions/{one}/state").json() for one in (fresh, name)]
            np.testing.assert_allclose(last[0]["state"], last[1]["state"], atol=1e-5)


def test_the_same_message_again_moves_nothing(service: ServiceProcess) -> None:
    inputs = weather_inputs(1)
    with open_stream(service) as socket:
        made = ask(socket, "open", id="49d9c8c6", model="weather")
        session_id = made["session_id"]
        first = ask(socket, "step", id="f1", session_id=session_id, inputs=inputs)
        forked = ask(socket, "fork", id="b7e5", session_id=session_id)
    with open_stream(service) as socket:
        again = ask(socket, "open", id="49d9c8c6", model="weather")
        assert (again["session_id"], again["replayed"]) == (session_id, True)
        second = ask(socket, "step", id="f1", session_id=session_id, inputs=inputs)
        assert second == first | {"replayed": True}
        refork = ask(socket, "fork", id="b7e5", session_id=session_id)
        assert (refork["session_id"], refork["replayed"]) == (forked["session_id"], True)
        other = ask(socket, "step", id="f1", session_id=session_id, inputs=weather_inputs(1, 1))
        assert other["problem"]["code"] == "idempotency_key_reused"
        # Numbers only say which answer belongs to which message.
        for step in (2, 3):
            counted = ask(socket, "step", id=1, session_id=session_id, inputs=inputs)
            assert counted["step"] == step


def test_the_same_record_again_moves_nothing(service: ServiceProcess) -> None:
    """Also under the other handle that the session has on another socket."""
    inputs = np.array([weather_inputs(1)], np.float32)
    with open_stream(service) as socket:
        session_id, handle = opened(socket, model="weather")
        socket.send(block(inputs, [handle], [3], keys=True))
        [first] = records(socket, 1)
    with open_stream(service) as socket:
        opened(socket, model="weather")
        _, other = opened(socket, session_id=session_id)
        assert other != handle
        socket.send(block(inputs, [other], [3], keys=True))
        socket.send(block(inputs + 1, [other], [3], keys=True))
        socket.send(block(inputs, [other], [3]))
        again, reused, counted = records(socket, 3)
    assert (again.step, again.revision, again.replayed) == (1, first.revision, True)
    np.testing.assert_array_equal(again.outputs, first.outputs)
    assert reused.problem is not None
    assert reused.problem["code"] == "idempotency_key_reused"
    assert (counted.step, counted.replayed) == (2, False)


def test_what_was_sent_before_the_client_went_is_applied(
    service: ServiceProcess, client: httpx.Client
) -> None:
    with open_stream(service) as socket:
        session_id, handle = opened(socket, model="weather")
        inputs = np.array([weather_inputs(20)] * 50, np.float32)
        socket.send(block(inputs, [handle] * 50, range(50)))
    _until(client, session_id, 1000)


def _until(client: httpx.Client, session_id: str, step: int) -> None:
    for _ in range(1000):
        if client.get(f"/v1/sessions/{session_id}").json()["step"] == step:
            return
    raise AssertionError("not all of it was applied")


def test_sigterm_answers_what_is_under_way_and_says_goodbye(
    repository: Path, tmp_path: Path
) -> None:
    store = f"sqlite:///{tmp_path / 'sessions.db'}"
    flags = ("--drain-seconds", "1")
    with running_service(repository, store, tmp_path / "log", *flags) as service:
        with open_stream(service) as socket:
            service.terminate()
            service.wait_for("stopping")
            # Balancers still send clients here: they are served.
            with open_stream(service) as late:
                session_id, handle = opened(late, model="weather")
                inputs = np.array([weather_inputs(20_000)], np.float32)
                answered = 0
                with pytest.raises(ConnectionClosedError) as closed:
                    for number in range(10_000):
                        late.send(block(inputs, [handle], [number]))
                        answered += len(records(late, 1))
            with pytest.raises(ConnectionClosedError):
                socket.recv(timeout=20)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
        assert service.wait() == 0
        assert "Traceback" not in service.log()
    with (
        running_service(repository, store, tmp_path / "log") as service,
        open_stream(service) as socket,
    ):
        assert ask(socket, "get", session_id=session_id)["step"] == 20_000 * answered
