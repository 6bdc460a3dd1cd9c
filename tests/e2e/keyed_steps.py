"""A step with a key, sent over every route and written in every way, and its answers compared."""

import json
from dataclasses import dataclass
from typing import Any, Literal

import httpx
import numpy as np
from numpy.typing import NDArray
from websockets.sync.client import ClientConnection

from tests.bundles import VOCABULARY
from tests.e2e.streams import Record, block, opened, receive, records

Route = Literal["http", "item", "message", "record"]


@dataclass(frozen=True)
class Way:
    """A route, and how the JSON is written on it; a binary record has none."""

    route: Route
    spaced: bool = False
    as_text: bool = False

    def __str__(self) -> str:
        return self.route + " spaced" * self.spaced + " text" * self.as_text


JSON_WAYS = [
    Way(route, spaced, as_text)
    for route in ("http", "item", "message")
    for spaced, as_text in ((False, False), (True, False), (False, True))
]
WAYS = [*JSON_WAYS, Way("record")]


@dataclass(frozen=True)
class KeyedStep:
    """What is asked for, however it travels. With a `writer` the key is `writer:number`."""

    session_id: str
    inputs: list[Any]
    key: str = ""
    writer: str | None = None
    number: int = 0
    gates: bool | dict[str, Any] = False

    @property
    def text_key(self) -> str:
        return self.key if self.writer is None else f"{self.writer}:{self.number}"

    @property
    def is_tokens(self) -> bool:
        return isinstance(self.inputs[0], int)

    def may_go(self, way: Way) -> bool:
        """Values have no text, and a record has a number for its id."""
        if way.route == "record":
            return self.writer is not None or self.key.isdecimal()
        return self.is_tokens or not way.as_text

    def body(self, way: Way) -> dict[str, Any]:
        if way.as_text:
            fields: dict[str, Any] = {"text": "".join(VOCABULARY[one] for one in self.inputs)}
        else:
            fields = {"inputs": self.inputs}
        return fields | ({"gates": self.gates} if self.gates else {})


@dataclass(frozen=True)
class Outcome:
    """What a client learns; two are equal where all bits are. `problem` is its code."""

    step: int | None = None
    etag: str | None = None
    outputs: bytes = b""
    gates: bytes = b""
    replayed: bool = False
    problem: str | None = None
    status: int = 200


class Sender:
    """Sends steps over HTTP and one socket, and reads their answers."""

    def __init__(self, client: httpx.Client, socket: ClientConnection) -> None:
        self._client = client
        self._socket = socket

    def send(self, step: KeyedStep, way: Way) -> Outcome:
        """Apply a step, or find that it was."""
        routes = {
            "http": self._http,
            "item": self._item,
            "message": self._message,
            "record": self._record,
        }
        return routes[way.route](step, way)

    def _http(self, step: KeyedStep, way: Way) -> Outcome:
        answer = self._client.post(
            f"/v1/sessions/{step.session_id}/steps",
            content=_written(step.body(way), way),
            headers={"idempotency-key": step.text_key},
        )
        if not answer.is_success:
            return _refused(answer.json())
        replayed = answer.headers.get("idempotent-replayed") == "true"
        return _applied(answer.json(), answer.headers["etag"], replayed=replayed)

    def _item(self, step: KeyedStep, way: Way) -> Outcome:
        item = {"session_id": step.session_id, "key": step.text_key} | step.body(way)
        answer = self._client.post("/v1/steps", content=_written({"items": [item]}, way))
        assert answer.status_code == 200, answer.text
        return _of_fields(answer.json()["items"][0])

    def _message(self, step: KeyedStep, way: Way) -> Outcome:
        self._handle(step)
        message_id = step.key if step.writer is None else step.number
        fields = {"type": "step", "id": message_id, "session_id": step.session_id}
        self._socket.send(_written(fields | step.body(way), way))
        return _of_fields(receive(self._socket))

    def _record(self, step: KeyedStep, _: Way) -> Outcome:
        assert step.gates in (True, False), "a record asks for all gates or none"
        inputs = np.array([step.inputs], np.int64 if step.is_tokens else np.float32)
        keys = step.writer is None
        record_id = int(step.key) if keys else step.number
        gates = bool(step.gates)
        self._socket.send(block(inputs, [self._handle(step)], [record_id], keys=keys, gates=gates))
        return _of_record(records(self._socket, 1)[0])

    def _handle(self, step: KeyedStep) -> int:
        writer = {} if step.writer is None else {"writer": step.writer}
        return opened(self._socket, session_id=step.session_id, **writer)[1]


def _written(body: dict[str, Any], way: Way) -> str:
    return json.dumps(body, indent=3, sort_keys=True) if way.spaced else json.dumps(body)


def _of_fields(fields: dict[str, Any]) -> Outcome:
    if "problem" in fields:
        return _refused(fields["problem"])
    return _applied(fields, fields["etag"], replayed=fields.get("replayed", False))


def _refused(problem: dict[str, Any]) -> Outcome:
    return Outcome(step=problem.get("step"), problem=problem["code"], status=problem["status"])


def _applied(fields: dict[str, Any], etag: str, *, replayed: bool) -> Outcome:
    outputs = np.array(fields["outputs"], np.float32).tobytes()
    return Outcome(fields["step"], etag, outputs, _gates(fields.get("gates")), replayed)


def _gates(shown: dict[str, Any] | None) -> bytes:
    """All gates of all layers, as a record has them."""
    if shown is None:
        return b""
    of_layers: list[NDArray[np.float32]] = [
        np.array([layer[name] for name in ("reset", "update", "candidate", "hidden")], np.float32)
        for layer in shown["layers"]
    ]
    return np.concatenate(of_layers, axis=2).tobytes()


def _of_record(record: Record) -> Outcome:
    if record.problem is not None:
        return _refused(record.problem)
    gates = b"" if record.gates is None else record.gates.tobytes()
    etag = f'"{record.revision:x}"'
    return Outcome(record.step, etag, record.outputs.tobytes(), gates, record.replayed)
