"""Long sequences in binary frames beside the bare run of their graph."""

from benchmarks.tools.bare import sequence_us
from benchmarks.tools.frames import long_records, rate
from benchmarks.tools.row import Plan, Row, Series, compared
from benchmarks.tools.workload import durable, workplace

TIME_STEPS = 1000


def rows(plan: Plan) -> list[Row]:
    server_us, bare_us = Series("server, µs", []), Series("bare run, µs", [])
    load = long_records(TIME_STEPS)
    with workplace() as folder, durable(folder) as server:
        for _ in range(plan.rounds):
            # What the busy server spends on one: it is always sent the next one in time.
            server_us.values.append(1e6 / rate(server, load, plan.seconds))
            bare_us.values.append(sequence_us(folder, TIME_STEPS))
    what = f"T = {TIME_STEPS} in binary, server time / bare ONNX Runtime run"
    return [compared(what, server_us, bare_us, 2, "at most")]
