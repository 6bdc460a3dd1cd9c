"""Steps over a WebSocket: single ones beside an echo, many in a frame, and long ones."""

import os
import statistics
import timeit
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.tools.row import Plan, Row, ratios
from benchmarks.tools.websocket_load import LONG, ROW, Load, loads, rate, servers
from benchmarks.tools.wrk import LOAD_CORE
from service.bundle.bundle import read_bundle
from service.engine.engine import Engine
from service.engine.provider import Provider

_PIPELINED = ("single records", "JSON")
_LONG = "T=1000 record"
_BARE_US = "bare run of T=1000, µs"


def rows(plan: Plan) -> list[Row]:
    found: dict[str, list[float]] = defaultdict(list)
    with _on_the_load_core(), servers() as (service, echo, bundle):
        for _ in range(plan.rounds):
            for name, load in loads().items():
                found[name].append(rate(service, load, plan.seconds))
                if name in _PIPELINED:
                    bare = Load("/echo", load.frames, load.window)
                    found[f"{name}, echo"].append(rate(echo, bare, plan.seconds))
            found[_BARE_US].append(_bare_us(bundle))
    many = found["256 records a frame"]
    return [
        *(_beside_echo(name, found) for name in _PIPELINED),
        Row("256 sessions in a WebSocket frame, durable", many, 150_000, "at least", "steps/s"),
        _long_record(found),
    ]


def _beside_echo(name: str, found: dict[str, list[float]]) -> Row:
    echo = f"{name}, echo"
    return Row(
        f"WebSocket steps pipelined as {name}, durable / echo",
        ratios(found[name], found[echo]),
        0.5,
        "at least",
        figures={
            "durable, steps/s": statistics.median(found[name]),
            "echo, frames/s": statistics.median(found[echo]),
        },
    )


def _long_record(found: dict[str, list[float]]) -> Row:
    """What the busy server spends on one, since it is always sent the next one in time."""
    server_us = [1e6 / records for records in found[_LONG]]
    return Row(
        "T=1000 in binary, server time / bare ONNX Runtime run",
        ratios(server_us, found[_BARE_US]),
        2,
        "at most",
        figures={
            "server, µs": statistics.median(server_us),
            "bare run, µs": statistics.median(found[_BARE_US]),
        },
    )


def _bare_us(bundle: Path) -> float:
    engine = Engine(read_bundle(bundle), Provider())
    inputs = np.repeat(np.array([[ROW]], np.float32), LONG, 1)
    state = engine.initial_states(1)
    runs = timeit.repeat(lambda: engine.sequence(inputs, state), repeat=5, number=20)
    return min(runs) / 20 * 1e6


@contextmanager
def _on_the_load_core() -> Iterator[None]:
    """The client is this process."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {int(LOAD_CORE)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
