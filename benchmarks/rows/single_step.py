"""Single durable steps beside an app that does nothing and one that is written by hand."""

from contextlib import ExitStack

from benchmarks.peers.peer import NAIVE, start
from benchmarks.tools.rounds import in_turns
from benchmarks.tools.row import Plan, Row, compared
from benchmarks.tools.servers import uvicorn_app
from benchmarks.tools.workload import (
    SESSIONS,
    STEP,
    bundle_of,
    create_sessions,
    durable,
    single_steps,
    workplace,
)
from benchmarks.tools.wrk import Load

DURABLE, KEYED, RAW, BY_HAND = "durable", "keyed", "raw ASGI", "by hand"


def rows(plan: Plan) -> list[Row]:
    with workplace() as folder, ExitStack() as servers:
        service = servers.enter_context(durable(folder))
        # Sessions of their own: receipts make the row of a session longer.
        create_sessions(service, name="keyed")
        keyed_path = "/v1/sessions/keyed{n}/steps"
        raw = servers.enter_context(uvicorn_app("benchmarks.tools.empty_apps:raw"))
        loads = {
            DURABLE: single_steps(service),
            KEYED: Load(service.url, keyed_path, STEP, SESSIONS, keyed=True),
            RAW: Load(raw.url, "/empty", STEP, 1),
            BY_HAND: NAIVE.load(servers.enter_context(start(NAIVE, bundle_of(folder)))),
        }
        found = in_turns(loads, (1, 32), plan)
    busy = {name: found.rate(name, 32) for name in loads}
    step = "single step, 32 connections, durable"
    return [
        compared(f"{step} / raw ASGI no-op", busy[DURABLE], busy[RAW], 0.85, "at least"),
        compared(f"{step}, a key each / raw ASGI no-op", busy[KEYED], busy[RAW], 0.65, "at least"),
        compared(f"{step} / FastAPI app by hand", busy[DURABLE], busy[BY_HAND], 6, "at least"),
        compared(
            "p50 of a single step, 1 connection, durable / raw ASGI no-op",
            found.p50(DURABLE, 1),
            found.p50(RAW, 1),
            2.3,
            "at most",
        ),
    ]
