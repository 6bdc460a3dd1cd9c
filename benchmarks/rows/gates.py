"""What all gates of a single step cost: over HTTP, and in the engine alone."""

import statistics
import timeit
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.tools.row import Plan, Row, ratios
from benchmarks.tools.workload import STEP, durable, engine_of, single_steps, workplace
from benchmarks.tools.wrk import measure

ALL_GATES = STEP[:-1] + ', "gates": true}'
TARGET = 1.15

_Times = tuple[list[float], list[float]]
"""µs with all gates and without, one figure a round."""


def rows(plan: Plan) -> list[Row]:
    with workplace() as folder:
        engine = _engine(folder, plan)
        http = _http(folder, plan)
    return [
        _row("all gates / none, p50 of a single step, 1 connection", http),
        _row("all gates / none, one step of the engine alone", engine),
    ]


def _row(what: str, times: _Times) -> Row:
    with_gates, without = times
    figures = {
        "all gates, µs": statistics.median(with_gates),
        "none, µs": statistics.median(without),
    }
    return Row(what, ratios(with_gates, without), TARGET, "at most", figures=figures)


def _http(folder: Path, plan: Plan) -> _Times:
    times: _Times = ([], [])
    with durable(folder) as server:
        for _ in range(plan.rounds):
            for body, found in zip((ALL_GATES, STEP), times, strict=True):
                load = single_steps(server, body)
                found.append(measure(load, connections=1, seconds=plan.seconds).p50_us)
    return times


def _engine(folder: Path, plan: Plan) -> _Times:
    engine = engine_of(folder)
    inputs, state = np.array([[20.5, 1003.0, 0.4]], np.float32), engine.initial_states(1)
    times: _Times = ([], [])
    for _ in range(plan.rounds):
        for gates, found in zip((True, False), times, strict=True):
            timer = timeit.Timer(partial(engine.step, inputs, state, gates=gates))
            found.append(min(timer.repeat(10, 1000)) * 1000)
    return times
