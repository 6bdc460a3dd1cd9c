"""Repetition: machines are noisy, and noise only ever makes a server slower."""

from benchmarks.tools.row import Plan
from benchmarks.tools.wrk import Load, Measured, measure


def best(load: Load, connections: int, plan: Plan) -> Measured:
    """The lowest latencies and the highest rate of all rounds."""
    found = [
        measure(load, connections=connections, seconds=plan.seconds) for _ in range(plan.rounds)
    ]
    return Measured(
        p50_us=min(one.p50_us for one in found),
        p99_us=min(one.p99_us for one in found),
        requests_per_second=max(one.requests_per_second for one in found),
    )
