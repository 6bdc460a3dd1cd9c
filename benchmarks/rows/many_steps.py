"""Steps of 256 sessions in one message, beside a bare loop of one run and one commit of 256."""

import json
from contextlib import closing

from benchmarks.tools.bare import BareLoop
from benchmarks.tools.frames import many_records, rate
from benchmarks.tools.row import Plan, Row, Series, compared
from benchmarks.tools.servers import Server
from benchmarks.tools.workload import ROW, durable, workplace
from benchmarks.tools.wrk import Load, measure

MANY = 256
CONNECTIONS = 4


def rows(plan: Plan) -> list[Row]:
    bare, frame, post = (Series(f"{name}, steps/s", []) for name in ("bare loop", "frame", "POST"))
    frames = many_records(MANY)
    with (
        workplace() as folder,
        durable(folder) as server,
        closing(BareLoop(folder, MANY)) as loop,
    ):
        request = _request(server)
        for _ in range(plan.rounds):
            bare.values.append(loop.steps_per_second(plan.seconds))
            frame.values.append(rate(server, frames, plan.seconds))
            found = measure(request, connections=CONNECTIONS, seconds=plan.seconds)
            post.values.append(MANY * found.requests_per_second)
    what = f"{MANY} sessions in {{}}, durable / bare loop"
    return [
        compared(what.format("a WebSocket frame"), frame, bare, 0.6, "at least"),
        compared(what.format("POST /v1/steps"), post, bare, 0.4, "at least"),
    ]


def _request(server: Server) -> Load:
    items = [{"session_id": f"s{number}", "inputs": [ROW]} for number in range(MANY)]
    return Load(server.url, "/v1/steps", json.dumps({"items": items}), 1)
