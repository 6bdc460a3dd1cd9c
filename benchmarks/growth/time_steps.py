"""Whole sequences of 1 to 10⁵ time steps: the route beside the engine."""

import json
import timeit

import httpx
import numpy as np

from benchmarks.growth.curve import Curve
from benchmarks.tools.row import Plan
from benchmarks.tools.servers import gatewise
from benchmarks.tools.workload import MODEL, ROW, engine_of, workplace
from service.engine.engine import Engine

COUNTS = (1, 10, 100, 1_000, 10_000, 100_000)
_AXIS = "time steps"


def curves(plan: Plan) -> list[Curve]:
    """A step costs a share of what a request costs by itself, and so falls at first."""
    over_http, engine_alone = [], []
    with workplace() as folder, gatewise(folder / "models", "memory://") as server:
        engine = engine_of(folder)
        with httpx.Client(base_url=server.url, timeout=300) as client:
            for count in COUNTS:
                over_http.append((count, _request_us(client, count, plan)))
                engine_alone.append((count, _engine_us(engine, count, plan)))
    return [
        Curve(_AXIS, "POST …/sequences in JSON, µs a request", over_http),
        Curve(_AXIS, "POST …/sequences in JSON, µs a step", [(n, us / n) for n, us in over_http]),
        Curve(_AXIS, "engine alone, µs a run", engine_alone),
    ]


def _request_us(client: httpx.Client, count: int, plan: Plan) -> float:
    """From the first byte sent to the last one received."""
    body = json.dumps({"inputs": [[ROW] * count]}).encode()
    headers = {"content-type": "application/json"}

    def post() -> None:
        answer = client.post(f"/v1/models/{MODEL}/sequences", content=body, headers=headers)
        answer.raise_for_status()

    return min(timeit.repeat(post, repeat=plan.rounds * _repeats(count), number=1)) * 1e6


def _engine_us(engine: Engine, count: int, plan: Plan) -> float:
    inputs = np.array([[ROW] * count], np.float32)
    state = engine.initial_states(1)
    timer = timeit.Timer(lambda: engine.sequence(inputs, state))
    return min(timer.repeat(plan.rounds * _repeats(count), number=1)) * 1e6


def _repeats(count: int) -> int:
    return max(3, min(100, 100_000 // count))
