"""What all gates of a single step cost."""

from benchmarks.tools.rounds import in_turns
from benchmarks.tools.row import Plan, Row, compared
from benchmarks.tools.workload import STEP, durable, single_steps, workplace

ALL_GATES = STEP[:-1] + ', "gates": true}'
ALL, NONE = "all gates", "none"


def rows(plan: Plan) -> list[Row]:
    with workplace() as folder, durable(folder) as server:
        loads = {ALL: single_steps(server, ALL_GATES), NONE: single_steps(server)}
        found = in_turns(loads, (1, 32), plan)
    return [
        compared(
            "all gates / none, single step, 32 connections, durable",
            found.rate(ALL, 32),
            found.rate(NONE, 32),
            0.6,
            "at least",
        ),
        compared(
            "all gates / none, p50 of a single step, 1 connection, durable",
            found.p50(ALL, 1),
            found.p50(NONE, 1),
            1.15,
            "at most",
        ),
    ]
