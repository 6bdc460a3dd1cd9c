"""Hidden sizes from 32 to 1024: the engine's step for 1 to 256 sessions, and a step over HTTP."""

import timeit

import numpy as np

from benchmarks.growth.curve import Curve
from benchmarks.growth.rounds import best
from benchmarks.tools.row import Plan
from benchmarks.tools.workload import ROW, durable, engine_of, single_steps, workplace
from service.engine.engine import Engine

SIZES = (32, 64, 128, 256, 512, 1024)
BATCHES = (1, 8, 32, 128, 256)
_AXIS = "hidden size"


def curves(plan: Plan) -> list[Curve]:
    engine_us: dict[int, list[tuple[float, float]]] = {batch: [] for batch in BATCHES}
    over_http = []
    for size in SIZES:
        with workplace(size) as folder:
            engine = engine_of(folder)
            for batch, points in engine_us.items():
                points.append((size, _engine_us(engine, batch, plan)))
            with durable(folder) as server:
                found = best(single_steps(server), 32, plan)
            over_http.append((size, found.requests_per_second))
    return [
        *(
            Curve(_AXIS, f"engine, step of {batch} sessions, µs", points)
            for batch, points in engine_us.items()
        ),
        Curve(_AXIS, "single steps at 32 connections, steps/s", over_http),
    ]


def _engine_us(engine: Engine, batch: int, plan: Plan) -> float:
    inputs = np.tile(np.array([ROW], np.float32), (batch, 1))
    state = engine.initial_states(batch)
    timer = timeit.Timer(lambda: engine.step(inputs, state, gates=False))
    number, _ = timer.autorange()
    number = max(1, number // 4)
    return min(timer.repeat(2 * plan.rounds, number)) / number * 1e6
