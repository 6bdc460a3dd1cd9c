"""A client of WS /v1/stream, written from docs/streaming.md: messages, and blocks of records."""

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from websockets.sync.client import ClientConnection, connect

from tests.service_process import ServiceProcess

GATES, AT, KEYS, TOKENS = 1, 2, 4, 8
HEADER = "<BBHIIIII"


def open_stream(service: ServiceProcess) -> ClientConnection:
    """A socket; use it in a `with` block."""
    url = service.url.replace("http", "ws", 1)
    return connect(f"{url}/v1/stream", max_size=None, open_timeout=20, proxy=None)


def receive(socket: ClientConnection) -> dict[str, Any]:
    """The next message."""
    text = socket.recv(timeout=20)
    assert isinstance(text, str)
    return cast(dict[str, Any], json.loads(text))


def ask(socket: ClientConnection, kind: str, **fields: object) -> dict[str, Any]:
    """Send one message and wait for one."""
    socket.send(json.dumps({"type": kind, **fields}))
    return receive(socket)


def opened(socket: ClientConnection, **fields: object) -> tuple[str, int]:
    """The id and the handle of a session that is open now."""
    answer = ask(socket, "open", **fields)
    assert answer["type"] == "open", answer
    return answer["session_id"], answer["handle"]


def block(
    inputs: NDArray[Any],
    handles: Sequence[int],
    ids: Sequence[int],
    *,
    at: Sequence[int] | None = None,
    keys: bool = False,
    gates: bool = False,
) -> bytes:
    """`inputs` [N, T, F] float32, or [N, T] int64 for tokens."""
    tokens = inputs.dtype == np.int64
    width = 1 if tokens else inputs.shape[2]
    flags = GATES * gates | AT * (at is not None) | KEYS * keys | TOKENS * tokens
    body = np.array(ids, "<u8").tobytes()
    if at is not None:
        body += np.array(at, "<u8").tobytes()
    body += inputs.tobytes() + np.array(handles, "<u4").tobytes()
    body += bytes(-len(body) % 8)
    head = struct.pack(HEADER, 1, flags, 0, 24 + len(body), *inputs.shape[:2], width, 0)
    return head + body


@dataclass(frozen=True)
class Record:
    """One answer: numbers, or a problem."""

    id: int
    handle: int
    step: int = 0
    revision: int = 0
    replayed: bool = False
    outputs: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))
    gates: NDArray[np.float32] | None = None
    """reset, update, candidate, hidden: [4, T, S]."""
    problem: dict[str, Any] | None = None


def records(socket: ClientConnection, count: int) -> list[Record]:
    """The next answers, as many as that, in the order in which they came."""
    found: list[Record] = []
    while len(found) < count:
        frame = socket.recv(timeout=20)
        assert isinstance(frame, bytes), frame
        found += parse(frame)
    assert len(found) == count
    return found


def parse(frame: bytes) -> list[Record]:
    found: list[Record] = []
    while frame:
        kind, _, _, length, *_ = struct.unpack_from(HEADER, frame)
        assert length % 8 == 0
        found += _failure(frame) if kind == 0x82 else _answers(frame[:length])
        frame = frame[length:]
    return found


def _failure(frame: bytes) -> list[Record]:
    _, _, status, _, count, _, size, _ = struct.unpack_from(HEADER, frame)
    record_id, handle = struct.unpack_from("<QI", frame, 24)
    problem = json.loads(frame[36 : 36 + size])
    assert (count, problem["status"]) == (1, status)
    return [Record(record_id, handle, problem=problem)]


def _answers(frame: bytes) -> list[Record]:
    kind, flags, _, _, count, time, width, size = struct.unpack_from(HEADER, frame)
    assert kind == 0x81
    ids, steps, revisions = np.frombuffer(frame, "<u8", 3 * count, 24).reshape(3, count)
    place = 24 + 24 * count
    outputs = np.frombuffer(frame, "<f4", count * time * width, place)
    place += outputs.nbytes
    gates = None
    if flags & 1:
        gates = np.frombuffer(frame, "<f4", count * 4 * time * size, place)
        place += gates.nbytes
        gates = gates.reshape(count, 4, time, size)
    handles = np.frombuffer(frame, "<u4", count, place)
    assert len(frame) == -(-(place + 4 * count) // 8) * 8
    return [
        Record(
            int(ids[n]),
            int(handles[n]),
            int(steps[n]),
            int(revisions[n]),
            bool(flags & 2),
            outputs.reshape(count, time, width)[n],
            None if gates is None else gates[n],
        )
        for n in range(count)
    ]
