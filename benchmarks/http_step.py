"""What one HTTP step costs, beside what it cannot do without.

    python -m benchmarks.http_step [--json FILE]

Server on one core, load (wrk) on another, all candidates in one run, interleaved and repeated.
The claim: one step over HTTP, durable, costs at most the cost of an empty FastAPI endpoint plus
four times the bare ONNX Runtime step. Exit status 1 where it does not hold.
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import timeit
from pathlib import Path

import httpx
import numpy as np

from benchmarks.servers import Server, gatewise, uvicorn_app
from benchmarks.wrk import Load, measure
from model_export.package import publish
from service.bundle.bundle import read_bundle
from service.engine.engine import Engine
from service.engine.provider import Provider
from tests.bundles import values_model

HIDDEN_SIZE = 64
ROUNDS = 5
SECONDS = 2
SESSIONS = 64
STEP = '{"inputs": [[20.5, 1003.0, 0.4]]}'


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure one HTTP step.")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    arguments = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("needs wrk: apt-get install wrk")
    figures = run()
    for name, value in figures.items():
        print(f"{name:58} {value:10.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    sys.exit(figures["cost / allowed, one connection"] > 1)


def run() -> dict[str, float]:
    """All figures: latencies in µs (p50 at one connection), throughputs in requests/s."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        publish(values_model("bench", hidden_sizes=(HIDDEN_SIZE,)), folder / "models")
        engine = Engine(read_bundle(folder / "models" / "bench" / "1"), Provider())
        servers = {
            "raw ASGI, no work": uvicorn_app("benchmarks.empty_apps:raw"),
            "empty FastAPI endpoint": uvicorn_app("benchmarks.empty_apps:fastapi"),
            "step, memory": gatewise(folder / "models", "memory://"),
            "step, durable SQLite": gatewise(folder / "models", f"sqlite:///{folder}/bench.db"),
        }
        try:
            return _compare(engine, servers)
        finally:
            for server in servers.values():
                server.stop()


def _compare(engine: Engine, servers: dict[str, Server]) -> dict[str, float]:
    for name, server in servers.items():
        if name.startswith("step"):
            _create_sessions(server)
    alone: dict[str, list[float]] = {name: [] for name in servers}
    loaded: dict[str, list[float]] = {name: [] for name in servers}
    bare = []
    for _ in range(ROUNDS):
        bare.append(_bare_step_us(engine))
        for name, server in servers.items():
            path = "/v1/sessions/s{n}/steps" if name.startswith("step") else "/empty"
            load = Load(server.url, path, STEP, SESSIONS)
            alone[name].append(measure(load, connections=1, seconds=SECONDS).p50_us)
            loaded[name].append(measure(load, connections=32, seconds=SECONDS).requests_per_second)
    figures = {"bare ONNX Runtime step, µs": statistics.median(bare)}
    for name in servers:
        figures[f"{name}: p50 at 1 connection, µs"] = statistics.median(alone[name])
        figures[f"{name}: requests/s at 32 connections"] = statistics.median(loaded[name])
    return figures | _ratios(bare, alone, loaded)


def _ratios(
    bare: list[float], alone: dict[str, list[float]], loaded: dict[str, list[float]]
) -> dict[str, float]:
    """Medians of the ratios within each round, which a drifting machine disturbs least."""

    def cost_at_one(index: int) -> float:
        allowed = alone["empty FastAPI endpoint"][index] + 4 * bare[index]
        return alone["step, durable SQLite"][index] / allowed

    def cost_at_many(index: int) -> float:
        allowed = 1e6 / loaded["empty FastAPI endpoint"][index] + 4 * bare[index]
        return 1e6 / loaded["step, durable SQLite"][index] / allowed

    def against_raw(index: int) -> float:
        return loaded["step, durable SQLite"][index] / loaded["raw ASGI, no work"][index]

    def latency_against_raw(index: int) -> float:
        return alone["step, durable SQLite"][index] / alone["raw ASGI, no work"][index]

    rounds = range(len(bare))
    return {
        "cost / allowed, one connection": statistics.median(map(cost_at_one, rounds)),
        "cost / allowed, 32 connections": statistics.median(map(cost_at_many, rounds)),
        "durable throughput / raw ASGI, 32 connections": statistics.median(
            map(against_raw, rounds)
        ),
        "durable p50 / raw ASGI, one connection": statistics.median(
            map(latency_against_raw, rounds)
        ),
    }


def _create_sessions(server: Server) -> None:
    for number in range(SESSIONS):
        body = {"model": "bench", "session_id": f"s{number}"}
        httpx.post(f"{server.url}/v1/sessions", json=body).raise_for_status()


def _bare_step_us(engine: Engine) -> float:
    inputs = np.array([[20.5, 1003.0, 0.4]], np.float32)
    state = engine.initial_states(1)
    timer = timeit.Timer(lambda: engine.step(inputs, state, gates=False))
    return min(timer.repeat(5, 1000)) * 1000


if __name__ == "__main__":
    main()
