"""What one HTTP step costs, beside what it cannot do without.

    python -m benchmarks.http_step [--json FILE]

Server on one core, load (wrk) on another, all candidates in one run, interleaved and repeated.
The claim: one step over HTTP, durable, costs at most what an empty FastAPI endpoint costs plus four
times a bare ONNX Runtime step. It is checked on a busy server (32 connections, cost = 1 / requests
per second) and on an idle one (1 connection, cost = median latency). The bare step is measured in
the same situation, as a plain ASGI app with the step less the same app without: a server that
wakes up for each request runs everything several times as slowly as a tight loop does.
Exit status 1 where the claim does not hold.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

import httpx

from benchmarks.empty_apps import BUNDLE_VARIABLE
from benchmarks.servers import Server, gatewise, uvicorn_app
from benchmarks.wrk import Load, measure
from model_export.package import publish
from tests.bundles import values_model

HIDDEN_SIZE = 64
ROUNDS = 5
SECONDS = 2
SESSIONS = 64
STEP = '{"inputs": [[20.5, 1003.0, 0.4]]}'

RAW = "raw ASGI, no work"
BARE = "raw ASGI and a bare step"
EMPTY = "empty FastAPI endpoint"
MEMORY = "step, memory"
DURABLE = "step, durable SQLite"

Costs = dict[str, list[float]]
"""µs per request by server, one figure a round."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure one HTTP step.")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    arguments = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("needs wrk: apt-get install wrk")
    idle, busy = run()
    figures = _figures(idle, busy)
    for name, value in figures.items():
        print(f"{name:62} {value:10.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    sys.exit(max(figures[CLAIM.format(n)] for n in (1, 32)) > 1)


CLAIM = "durable step / (empty endpoint + 4 bare steps), {} connections"


def run() -> tuple[Costs, Costs]:
    """The costs at one connection (median latency) and at 32 (one over throughput)."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle = publish(values_model("bench", hidden_sizes=(HIDDEN_SIZE,)), folder / "models")
        os.environ[BUNDLE_VARIABLE] = str(bundle)
        servers = {
            RAW: uvicorn_app("benchmarks.empty_apps:raw"),
            BARE: uvicorn_app("benchmarks.empty_apps:bare_step"),
            EMPTY: uvicorn_app("benchmarks.empty_apps:fastapi"),
            MEMORY: gatewise(folder / "models", "memory://"),
            DURABLE: gatewise(folder / "models", f"sqlite:///{folder}/bench.db"),
        }
        try:
            return _measure(servers)
        finally:
            for server in servers.values():
                server.stop()


def _measure(servers: dict[str, Server]) -> tuple[Costs, Costs]:
    for name in (MEMORY, DURABLE):
        _create_sessions(servers[name])
    idle: Costs = {name: [] for name in servers}
    busy: Costs = {name: [] for name in servers}
    for _ in range(ROUNDS):
        for name, server in servers.items():
            path = "/v1/sessions/s{n}/steps" if name in (MEMORY, DURABLE) else "/empty"
            load = Load(server.url, path, STEP, SESSIONS)
            idle[name].append(measure(load, connections=1, seconds=SECONDS).p50_us)
            rate = measure(load, connections=32, seconds=SECONDS).requests_per_second
            busy[name].append(1e6 / rate)
    return idle, busy


def _figures(idle: Costs, busy: Costs) -> dict[str, float]:
    """Medians over the rounds; ratios are taken within each round, which drift disturbs least."""
    figures = {}
    for connections, costs in ((1, idle), (32, busy)):
        for name in costs:
            figures[f"{name}: µs at {connections} connections"] = statistics.median(costs[name])
        rounds = [{name: cost[index] for name, cost in costs.items()} for index in range(ROUNDS)]
        figures[CLAIM.format(connections)] = statistics.median(map(_of_allowed, rounds))
        figures[f"durable step / raw ASGI, {connections} connections"] = statistics.median(
            cost[DURABLE] / cost[RAW] for cost in rounds
        )
    return figures


def _of_allowed(cost: dict[str, float]) -> float:
    return cost[DURABLE] / (cost[EMPTY] + 4 * (cost[BARE] - cost[RAW]))


def _create_sessions(server: Server) -> None:
    for number in range(SESSIONS):
        body = {"model": "bench", "session_id": f"s{number}"}
        httpx.post(f"{server.url}/v1/sessions", json=body).raise_for_status()


if __name__ == "__main__":
    main()
