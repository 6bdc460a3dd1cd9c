"""Single steps over a WebSocket, pipelined, beside an echo of the same frames."""

from collections.abc import Callable

from benchmarks.tools.frames import Frames, rate, single_messages, single_records
from benchmarks.tools.row import Plan, Row, Series, compared
from benchmarks.tools.servers import Server, uvicorn_app
from benchmarks.tools.workload import durable, workplace

LOADS: dict[str, tuple[Callable[[], Frames], float]] = {
    "single records": (single_records, 0.7),
    "JSON": (single_messages, 0.4),
}
"""With the target of each."""


def rows(plan: Plan) -> list[Row]:
    with workplace() as folder, durable(folder) as service, _echo() as echo:
        return [
            compared(
                f"WebSocket steps pipelined as {name}, durable / echo",
                *_in_turns(make(), service, echo, plan),
                target,
                "at least",
            )
            for name, (make, target) in LOADS.items()
        ]


def _in_turns(load: Frames, service: Server, echo: Server, plan: Plan) -> tuple[Series, Series]:
    steps, echoes = Series("durable, steps/s", []), Series("echo, frames/s", [])
    for _ in range(plan.rounds):
        steps.values.append(rate(service, load, plan.seconds))
        echoes.values.append(rate(echo, load.to_echo(), plan.seconds))
    return steps, echoes


def _echo() -> Server:
    flags = ("--ws", "websockets-sansio", "--ws-per-message-deflate", "false")
    return uvicorn_app("benchmarks.tools.websocket_echo:echo", *flags)
