"""What one HTTP step costs, beside what it cannot do without.

    python -m benchmarks.studies.http_step [--json FILE]

Server on one core, load (wrk) on another, all candidates in one run, interleaved and repeated.
The claim: one step over HTTP, durable, costs at most what an empty FastAPI endpoint costs plus four
times a bare ONNX Runtime step. Costs are 1 / requests per second at 32 connections (busy) and the
median latency at 1 connection (idle).

The bare step is measured twice: in a tight loop, and where a served one runs, as a plain ASGI app
with the step less the same app without. An idle server wakes up for each request, and then runs
everything several times as slowly as a tight loop does. Exit status 1 where the claim fails for a
busy server with the tight loop's figure, or for an idle one with the served figure.
"""

import argparse
import json
import statistics
import sys
import timeit
from pathlib import Path

import numpy as np

from benchmarks.tools.rounds import in_turns
from benchmarks.tools.row import Plan
from benchmarks.tools.servers import Server, gatewise, uvicorn_app
from benchmarks.tools.workload import (
    ROW,
    SESSIONS,
    STEP,
    STEPS_PATH,
    create_sessions,
    engine_of,
    workplace,
)
from benchmarks.tools.wrk import Load, need_wrk

ROUNDS = 5
SECONDS = 2

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
    need_wrk()
    figures = run()
    for name, value in figures.items():
        print(f"{name:62} {value:10.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    sys.exit(
        figures[CLAIM.format("busy", "tight loop")] > 1
        or figures[CLAIM.format("idle", "served")] > 1
    )


CLAIM = "durable / (empty endpoint + 4 bare steps): {}, bare step {}"


def run() -> dict[str, float]:
    """Costs in µs per request, medians over the rounds, and ratios taken within each round."""
    with workplace() as folder:
        servers = {
            RAW: uvicorn_app("benchmarks.tools.empty_apps:raw"),
            BARE: uvicorn_app("benchmarks.tools.empty_apps:bare_step"),
            EMPTY: uvicorn_app("benchmarks.tools.empty_apps:fastapi"),
            MEMORY: gatewise(folder / "models", "memory://"),
            DURABLE: gatewise(folder / "models", f"sqlite:///{folder}/bench.db"),
        }
        try:
            idle, busy = _measure(servers)
        finally:
            for server in servers.values():
                server.stop()
        tight = _tight_loop_us(folder)
    return {"bare step in a tight loop, µs": tight} | _figures(idle, busy, tight)


def _measure(servers: dict[str, Server]) -> tuple[Costs, Costs]:
    stepping = (MEMORY, DURABLE)
    for name in stepping:
        create_sessions(servers[name])
    loads = {
        name: Load(server.url, STEPS_PATH if name in stepping else "/empty", STEP, SESSIONS)
        for name, server in servers.items()
    }
    found = in_turns(loads, (1, 32), Plan(ROUNDS, SECONDS, ()))
    idle = {name: found.p50(name, 1).values for name in servers}
    busy = {name: [1e6 / rate for rate in found.rate(name, 32).values] for name in servers}
    return idle, busy


def _figures(idle: Costs, busy: Costs, tight: float) -> dict[str, float]:
    figures = {}
    for load, costs in (("idle", idle), ("busy", busy)):
        for name in costs:
            figures[f"{name}: {load}, µs"] = statistics.median(costs[name])
        rounds = [{name: cost[index] for name, cost in costs.items()} for index in range(ROUNDS)]
        for kind, bare in (("tight loop", lambda _: tight), ("served", _served_step_us)):
            figures[CLAIM.format(load, kind)] = statistics.median(
                cost[DURABLE] / (cost[EMPTY] + 4 * bare(cost)) for cost in rounds
            )
        figures[f"durable / raw ASGI: {load}"] = statistics.median(
            cost[DURABLE] / cost[RAW] for cost in rounds
        )
    return figures


def _served_step_us(cost: dict[str, float]) -> float:
    return cost[BARE] - cost[RAW]


def _tight_loop_us(folder: Path) -> float:
    engine = engine_of(folder)
    inputs, state = np.array([ROW], np.float32), engine.initial_states(1)
    timer = timeit.Timer(lambda: engine.step(inputs, state, gates=False))
    return min(timer.repeat(10, 1000)) * 1000


if __name__ == "__main__":
    main()
