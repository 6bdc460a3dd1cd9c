"""Single durable steps beside an app that does nothing and one that is written by hand."""

import statistics
from collections import defaultdict
from contextlib import ExitStack

from benchmarks.peers.peer import NAIVE, start
from benchmarks.tools.row import Plan, Row, ratios
from benchmarks.tools.servers import uvicorn_app
from benchmarks.tools.workload import STEP, bundle_of, durable, single_steps, workplace
from benchmarks.tools.wrk import Load, Measured, measure

DURABLE, RAW, BY_HAND = "durable", "raw ASGI", "by hand"


def rows(plan: Plan) -> list[Row]:
    found = _measure(plan)
    rate = {
        name: [one.requests_per_second for one in found[name, 32]]
        for name in (DURABLE, RAW, BY_HAND)
    }
    p50 = {name: [one.p50_us for one in found[name, 1]] for name in (DURABLE, RAW)}
    return [
        Row(
            "single step, 32 connections, durable / raw ASGI no-op",
            ratios(rate[DURABLE], rate[RAW]),
            0.45,
            "at least",
            figures=_medians(rate, (DURABLE, RAW), "requests/s"),
        ),
        Row(
            "single step, 32 connections, durable / FastAPI app by hand",
            ratios(rate[DURABLE], rate[BY_HAND]),
            4,
            "at least",
            figures=_medians(rate, (DURABLE, BY_HAND), "requests/s"),
        ),
        Row(
            "p50 of a single step, 1 connection, durable / raw ASGI no-op",
            ratios(p50[DURABLE], p50[RAW]),
            2.2,
            "at most",
            figures=_medians(p50, (DURABLE, RAW), "µs"),
        ),
    ]


def _measure(plan: Plan) -> dict[tuple[str, int], list[Measured]]:
    found: dict[tuple[str, int], list[Measured]] = defaultdict(list)
    with workplace() as folder, ExitStack() as servers:
        raw = servers.enter_context(uvicorn_app("benchmarks.tools.empty_apps:raw"))
        by_hand = servers.enter_context(start(NAIVE, bundle_of(folder)))
        loads = {
            DURABLE: single_steps(servers.enter_context(durable(folder))),
            RAW: Load(raw.url, "/empty", STEP, 1),
            BY_HAND: NAIVE.load(by_hand),
        }
        for _ in range(plan.rounds):
            for connections in (1, 32):
                for name, load in loads.items():
                    measured = measure(load, connections=connections, seconds=plan.seconds)
                    found[name, connections].append(measured)
    return found


def _medians(found: dict[str, list[float]], names: tuple[str, ...], unit: str) -> dict[str, float]:
    return {f"{name}, {unit}": statistics.median(found[name]) for name in names}
