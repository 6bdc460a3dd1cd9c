"""Single durable steps over 1 to 512 connections."""

from benchmarks.growth.curve import Curve
from benchmarks.growth.rounds import best
from benchmarks.tools.row import Plan
from benchmarks.tools.workload import durable, single_steps, workplace

COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_AXIS = "connections"


def curves(plan: Plan) -> list[Curve]:
    with workplace() as folder, durable(folder) as server:
        load = single_steps(server)
        found = {count: best(load, count, plan) for count in COUNTS}
    return [
        Curve(
            _AXIS,
            "single steps, steps/s",
            [(count, one.requests_per_second) for count, one in found.items()],
        ),
        Curve(_AXIS, "p50, µs", [(count, one.p50_us) for count, one in found.items()]),
        Curve(_AXIS, "p99, µs", [(count, one.p99_us) for count, one in found.items()]),
    ]
