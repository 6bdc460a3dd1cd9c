"""Load on WS /v1/stream from the second core: bytes that were made before, pipelined.

The client sends prebuilt frames and counts what comes back, so that it costs next to nothing.
"""

import json
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.tools.cores import LOAD_CORE, on_core
from benchmarks.tools.servers import Server
from benchmarks.tools.workload import ROW, SESSIONS
from tests.raw_websocket import BINARY, TEXT, client_frame, connect, payloads

UNANSWERED = 256
"""Single steps on their way at once."""


@dataclass(frozen=True)
class Frames:
    """Frames of the same size that a client sends over and over, `window` of them at a time."""

    frames: Sequence[bytes]
    window: int
    opening: Sequence[bytes] = ()
    path: str = "/v1/stream"

    def to_echo(self) -> "Frames":
        """The same for a server that sends back what it gets."""
        return replace(self, path="/echo", opening=())


def single_records() -> Frames:
    """One step in each frame, of one session after the other."""
    return Frames([_block(_rows(1, 1), [one]) for one in _HANDLES], UNANSWERED, _opening())


def single_messages() -> Frames:
    """The same as JSON."""
    step = {"type": "step", "inputs": [ROW]}
    # Numbers of three digits, so that all are as long.
    numbers = range(100, 228)
    messages = [_text({**step, "id": n, "session_id": f"s{n}"}) for n in numbers]
    return Frames(messages, UNANSWERED, _opening())


def many_records(count: int) -> Frames:
    """One step of so many sessions in each frame."""
    return Frames([_block(_rows(count, 1), _HANDLES[:count])], 4, _opening())


def long_records(time_steps: int) -> Frames:
    """So many time steps of one session in each frame."""
    block = _rows(1, time_steps)
    return Frames([_block(block, [one]) for one in _HANDLES[:4]], 4, _opening())


_HANDLES = range(1, SESSIONS + 1)


def _rows(sessions: int, time_steps: int) -> NDArray[np.float32]:
    return np.tile(np.array(ROW, np.float32), (sessions, time_steps, 1))


def _block(rows: NDArray[np.float32], handles: Sequence[int]) -> bytes:
    """A frame of one block: rows [N, T, F]. Handles serve as ids, too."""
    body = np.array(handles, "<u8").tobytes() + rows.astype("<f4").tobytes()
    body += np.array(handles, "<u4").tobytes()
    body += bytes(-len(body) % 8)
    head = struct.pack("<BBHIIIII", 1, 0, 0, 24 + len(body), *rows.shape, 0)
    return client_frame(head + body, BINARY)


def _opening() -> list[bytes]:
    """Opened in this order, the sessions get the handles from 1."""
    return [_text({"type": "open", "session_id": f"s{number}"}) for number in range(SESSIONS)]


def _text(message: dict[str, object]) -> bytes:
    return client_frame(json.dumps(message, separators=(",", ":")).encode(), TEXT)


def rate(server: Server, load: Frames, seconds: float) -> float:
    """Answers a second: records of binary frames, or messages."""
    with on_core(LOAD_CORE), connect(server.port, load.path) as connection:
        answers = payloads(connection)
        for frame in load.opening:
            connection.sendall(frame)
            next(answers)
        return _pipelined(connection, answers, load, seconds)


def _pipelined(
    connection: socket.socket, answers: Iterator[bytes], load: Frames, seconds: float
) -> float:
    per_frame = _records(load.frames[0][-_payload_size(load.frames[0]) :])
    ring = b"".join([*load.frames, *load.frames])
    size, count = len(load.frames[0]), len(load.frames)
    connection.sendall(b"".join(load.frames[n % count] for n in range(load.window)))
    place, received, owed = load.window % count, 0, 0
    began = time.perf_counter()
    measured_from, measured = began + seconds / 4, 0
    for answer in answers:
        found = _records(answer)
        received += found
        owed += found
        if owed >= per_frame * max(1, load.window // 4):
            frames = min(owed // per_frame, count)
            connection.sendall(ring[place * size : (place + frames) * size])
            place = (place + frames) % count
            owed -= frames * per_frame
            now = time.perf_counter()
            if now < measured_from:
                measured, began = received, now
            elif now > measured_from + seconds:
                return (received - measured) / (now - began)
    raise RuntimeError("the server closed the connection")


def _payload_size(frame: bytes) -> int:
    return len(frame) - {126: 8, 127: 14}.get(frame[1] & 127, 6)


def _records(payload: bytes) -> int:
    """How many answers a message holds; an echoed request counts as what it asks for."""
    if payload[:1] == b"{":
        if b'"type":"error"' in payload:
            raise RuntimeError(payload.decode())
        return 1
    count = place = 0
    while place < len(payload):
        kind, _, _, length, records = struct.unpack_from("<BBHII", payload, place)
        if kind not in (1, 0x81):
            raise RuntimeError(payload[place : place + length].decode("latin-1"))
        count += records
        place += length
    return count
