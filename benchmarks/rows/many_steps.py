"""Steps of 256 sessions in one request."""

import json
import statistics

from benchmarks.tools.row import Plan, Row
from benchmarks.tools.workload import STEP, durable, workplace
from benchmarks.tools.wrk import Load, measure

MANY = 256
CONNECTIONS = 4


def rows(plan: Plan) -> list[Row]:
    step = json.loads(STEP)
    items = [{"session_id": f"s{number}", **step} for number in range(MANY)]
    with workplace() as folder, durable(folder) as server:
        load = Load(server.url, "/v1/steps", json.dumps({"items": items}), 1)
        found = [
            measure(load, connections=CONNECTIONS, seconds=plan.seconds) for _ in range(plan.rounds)
        ]
    return [
        Row(
            "256 sessions in POST /v1/steps, durable",
            [one.requests_per_second * MANY for one in found],
            150_000,
            "at least",
            "steps/s",
            {"p50 of a request, µs": statistics.median(one.p50_us for one in found)},
        )
    ]
