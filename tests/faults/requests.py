"""Requests to one session, as bytes that stay the same at every attempt."""

from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

import numpy as np
import orjson
from numpy.typing import NDArray

from service.bundle.manifest import Manifest
from service.bundle.signatures import Tokens
from service.engine.engine import Engine

Operation = Literal["create", "steps", "rollout", "fork", "state", "read"]
_LONGEST = 50
_LONGEST_ROLLOUT = 12
_JITTER = 0.1


@dataclass(eq=False)
class Request:
    """One request; `attempts` says what became of each time it was sent."""

    operation: Operation
    method: str
    path: str
    body: bytes = b""
    key: str | None = None
    if_match: str | None = None
    attempts: list[str] = field(default_factory=list)
    first_sent: float | None = None
    """Seconds since the run began."""

    def encoded(self) -> bytes:
        """As it goes over the wire."""
        lines = [f"{self.method} {self.path} HTTP/1.1", "host: service"]
        lines.append(f"content-length: {len(self.body)}")
        if self.key is not None:
            lines.append(f"idempotency-key: {self.key}")
        if self.if_match is not None:
            lines.append(f"if-match: {self.if_match}")
        return "\r\n".join([*lines, "", ""]).encode() + self.body

    def content(self) -> dict[str, Any]:
        read: dict[str, Any] = orjson.loads(self.body)
        return read

    @property
    def consumes(self) -> int:
        """How many time steps it takes."""
        if self.operation not in ("steps", "rollout"):
            return 0
        content = self.content()
        return len(content["inputs"]) + int(content.get("steps", 1)) - 1

    def __str__(self) -> str:
        conditions = [f"key {self.key}", f"if-match {self.if_match}"]
        at = self.content().get("at") if self.body else None
        given = [*(c for c in conditions if not c.endswith("None"))]
        given += [] if at is None else [f"at {at}"]
        return f"{self.operation} of {self.consumes} steps ({', '.join(given) or 'free'})"


class RequestMaker:
    """Draws requests that a model accepts."""

    def __init__(self, engine: Engine, random: Random) -> None:
        self.manifest: Manifest = engine.manifest
        self._example = engine.example
        self._spread = _JITTER * np.std(engine.example, axis=0)
        self._random = random

    def key(self) -> str:
        return f"{self._random.getrandbits(64):016x}"

    def create(self) -> Request:
        body: dict[str, Any] = {"model": self.manifest.name}
        if self._random.random() < 0.3:
            body["state"] = self._state()
        return Request("create", "POST", "/v1/sessions", orjson.dumps(body), self.key())

    def steps(self, session_id: str, *, at: int | None = None) -> Request:
        """Mostly single steps; some long ones whose gates are too much for a receipt."""
        random = self._random
        count = random.choices([1, random.randint(2, 8), random.randint(20, _LONGEST)], [6, 3, 2])
        body: dict[str, Any] = {"inputs": self._inputs(count[0])}
        if random.random() < 0.4:
            body["gates"] = True
        return self._moving("steps", session_id, body, at)

    def rollout(self, session_id: str, *, at: int | None = None) -> Request:
        random = self._random
        body = {
            "inputs": self._inputs(random.randint(1, 5)),
            "steps": random.randint(1, _LONGEST_ROLLOUT),
            "advance": True,
        }
        if isinstance(self.manifest.input, Tokens):
            body["temperature"] = random.choice([0, 0.8])
            # Without one the service derives it from the key, and says it in the answer.
            if random.random() < 0.5:
                body["seed"] = random.getrandbits(40)
        if random.random() < 0.3:
            body["gates"] = True
        return self._moving("rollout", session_id, body, at)

    def state(self, session_id: str, step: int) -> Request:
        body = orjson.dumps({"step": step, "state": self._state()})
        return Request("state", "PUT", f"/v1/sessions/{session_id}/state", body, self.key())

    def fork(self, session_id: str) -> Request:
        return Request("fork", "POST", f"/v1/sessions/{session_id}/fork", b"{}", self.key())

    def _moving(
        self, operation: Operation, session_id: str, body: dict[str, Any], at: int | None
    ) -> Request:
        if at is not None:
            body["at"] = at
        path = f"/v1/sessions/{session_id}/{operation}"
        return Request(operation, "POST", path, orjson.dumps(body), self.key())

    def _inputs(self, count: int) -> list[Any]:
        """Rows of the model's own example, values slightly moved."""
        rows: NDArray[Any] = self._example[
            [self._random.randrange(len(self._example)) for _ in range(count)]
        ]
        if isinstance(self.manifest.input, Tokens):
            return list(rows.tolist())
        moves = [[self._random.gauss(0, 1) for _ in row] for row in rows]
        return list((rows + np.array(moves) * self._spread).tolist())

    def _state(self) -> list[float]:
        return [self._random.uniform(-1, 1) for _ in range(self.manifest.state_size)]


class Numbers:
    """The keys of one writer to one session: `WRITER:1`, `WRITER:2` and so on."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.begin()

    def begin(self) -> None:
        """As a writer that nobody has heard of."""
        self._writer = f"writer-{self._random.getrandbits(40):010x}"
        self._number = 0

    def next(self) -> str:
        self._number += 1
        return f"{self._writer}:{self._number}"


def read_state(session_id: str) -> Request:
    return Request("read", "GET", f"/v1/sessions/{session_id}/state")


def list_sessions(cursor: str) -> Request:
    return Request("read", "GET", f"/v1/sessions?limit=1000&cursor={cursor}")
