"""Steps over WS /v1/stream, pipelined, beside an echo of the same frames.

    python -m benchmarks.tools.websocket_load [--json FILE] [--rounds N] [--seconds S]

Server on one core, load on another; the client sends prebuilt bytes and counts what comes back.
Claims: pipelined steps, durable, at half the rate of an echo or more, as records and as JSON;
150,000 durable steps a second with 256 records a frame; a record of T = 1000 time steps costs the
server at most twice a bare ONNX Runtime run of them. Exit status 1 where one fails.
"""

import argparse
import json
import os
import socket
import statistics
import struct
import sys
import tempfile
import time
import timeit
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.tools.servers import Server, gatewise
from model_export.package import publish
from service.bundle.bundle import read_bundle
from service.engine.engine import Engine
from service.engine.provider import Provider
from tests.bundles import values_model
from tests.raw_websocket import BINARY, TEXT, client_frame, connect, payloads
from tests.service_process import free_port

LOAD_CORE = 1
HIDDEN_SIZE = 64
SESSIONS = 256
UNANSWERED = 256
"""Single steps on their way at once."""
MANY = 256
LONG = 1000
ROW = (20.5, 1003.0, 0.4)

TARGETS = {"single records / echo": 0.5, "JSON / echo": 0.5, "256 records a frame, steps/s": 150e3}
LONG_CLAIM = "T=1000 record / bare ONNX Runtime run"
MAX_LONG = 2.0

Figures = dict[str, float]


@dataclass(frozen=True)
class Load:
    """Frames that a client sends over and over, `window` of them at a time."""

    path: str
    frames: list[bytes]
    window: int
    opening: tuple[bytes, ...] = ()


def rate(port: int, load: Load, seconds: float) -> float:
    """Answers a second: records of binary frames, or messages."""
    with connect(port, load.path) as connection:
        answers = payloads(connection)
        for frame in load.opening:
            connection.sendall(frame)
            next(answers)
        return _pipelined(connection, answers, load, seconds)


def _pipelined(
    connection: socket.socket, answers: Iterator[bytes], load: Load, seconds: float
) -> float:
    per_frame = _records(load.frames[0][-_payload_size(load.frames[0]) :])
    ring = b"".join(load.frames * 2)
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
        return 1
    count = place = 0
    while place < len(payload):
        kind, _, _, length, records = struct.unpack_from("<BBHII", payload, place)
        if kind not in (1, 0x81):
            raise RuntimeError(payload[place : place + length].decode("latin-1"))
        count += records
        place += length
    return count


def record_block(rows: np.ndarray, handles: list[int]) -> bytes:
    """A frame of one block: rows [N, T, F]. Handles serve as ids, too."""
    body = np.array(handles, "<u8").tobytes() + rows.astype("<f4").tobytes()
    body += np.array(handles, "<u4").tobytes()
    body += bytes(-len(body) % 8)
    head = struct.pack("<BBHIIIII", 1, 0, 0, 24 + len(body), *rows.shape, 0)
    return client_frame(head + body, BINARY)


def loads() -> dict[str, Load]:
    """Every load, with the messages that open its sessions."""
    opening = tuple(
        _text({"type": "open", "session_id": f"s{number}"}) for number in range(SESSIONS)
    )
    handles = list(range(1, SESSIONS + 1))
    row = np.array([[ROW]], np.float32)
    step = {"type": "step", "inputs": [list(ROW)]}
    return {
        "single records": Load(
            "/v1/stream", [record_block(row, [one]) for one in handles], UNANSWERED, opening
        ),
        "JSON": Load(
            "/v1/stream",
            [_text({**step, "id": 100 + n, "session_id": f"s{100 + n}"}) for n in range(128)],
            UNANSWERED,
            opening,
        ),
        "256 records a frame": Load(
            "/v1/stream", [record_block(np.repeat(row, MANY, 0), handles[:MANY])], 4, opening
        ),
        "T=1000 record": Load(
            "/v1/stream",
            [record_block(np.repeat(row, LONG, 1), [one]) for one in handles[:4]],
            4,
            opening,
        ),
    }


def _text(message: dict[str, object]) -> bytes:
    return client_frame(json.dumps(message, separators=(",", ":")).encode(), TEXT)


def run(rounds: int, seconds: float) -> Figures:
    """Rates in answers a second, medians over the rounds, and ratios within each round."""
    os.sched_setaffinity(0, {LOAD_CORE % (os.cpu_count() or 1)})
    figures: dict[str, list[float]] = {}
    with servers() as (service, echo, bundle):
        for _ in range(rounds):
            found = _round(service, echo, seconds)
            found[LONG_CLAIM] = 1 / found["T=1000 record, steps/s"] / _bare_seconds(bundle) * LONG
            for name, value in found.items():
                figures.setdefault(name, []).append(value)
    return {name: statistics.median(values) for name, values in figures.items()}


def _round(service: int, echo: int, seconds: float) -> Figures:
    found: Figures = {}
    for name, load in loads().items():
        steps = LONG if name == "T=1000 record" else 1
        found[f"{name}, steps/s"] = rate(service, load, seconds) * steps
        if name in ("single records", "JSON"):
            bare = Load("/echo", load.frames, load.window)
            found[f"{name}, echo/s"] = rate(echo, bare, seconds)
            found[f"{name} / echo"] = found[f"{name}, steps/s"] / found[f"{name}, echo/s"]
    return found


def _bare_seconds(bundle: Path) -> float:
    """One run of the sequence graph in a tight loop, on the load's core."""
    engine = Engine(read_bundle(bundle), Provider())
    inputs = np.repeat(np.array([[ROW]], np.float32), LONG, 1)
    state = engine.initial_states(1)
    return min(timeit.repeat(lambda: engine.sequence(inputs, state), repeat=5, number=20)) / 20


@contextmanager
def servers() -> Iterator[tuple[int, int, Path]]:
    """The ports of a durable service with its sessions, and of an echo; the model's bundle."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bundle = publish(values_model("bench", hidden_sizes=(HIDDEN_SIZE,)), folder / "models")
        service = gatewise(folder / "models", f"sqlite:///{folder}/bench.db")
        stack.callback(service.stop)
        port, echo_port = int(service.url.rsplit(":", 1)[1]), free_port()
        flags = ["--ws", "websockets-sansio", "--ws-per-message-deflate", "false"]
        flags += ["--port", str(echo_port), "--no-access-log", "--log-level", "error"]
        app = "benchmarks.tools.websocket_echo:echo"
        echo = Server([sys.executable, "-m", "uvicorn", app, *flags], echo_port)
        stack.callback(echo.stop)
        create_sessions(port)
        yield port, echo_port, bundle


def create_sessions(port: int) -> None:
    """The sessions s0, s1, … that the load steps."""
    with connect(port, "/v1/stream") as connection:
        answers = payloads(connection)
        for number in range(SESSIONS):
            fields = {"type": "open", "model": "bench", "session_id": f"s{number}"}
            connection.sendall(_text(dict(fields)))
            next(answers)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure steps over a WebSocket.")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    arguments = parser.parse_args()
    figures = run(arguments.rounds, arguments.seconds)
    for name, value in figures.items():
        print(f"{name:42} {value:12.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    missed = [name for name, target in TARGETS.items() if figures[name] < target]
    sys.exit(bool(missed) or figures[LONG_CLAIM] > MAX_LONG)


if __name__ == "__main__":
    main()
