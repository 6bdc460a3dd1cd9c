"""Single steps while long sequences are served, beside single steps alone."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from benchmarks.tools.row import Plan, Row, Series, compared
from benchmarks.tools.servers import Server
from benchmarks.tools.workload import MODEL, ROW, SESSIONS, durable, single_steps, workplace
from benchmarks.tools.wrk import measure

STEPS = 100_000
CONNECTIONS = 8
TARGET = 3
_INPUTS = [ROW] * STEPS
_LONG = {
    "a stateless sequence": (f"/v1/models/{MODEL}/sequences", {"inputs": [_INPUTS]}),
    "steps of another session": (f"/v1/sessions/s{SESSIONS}/steps", {"inputs": _INPUTS}),
}


def rows(plan: Plan) -> list[Row]:
    p99 = {name: Series(f"{name}, µs", []) for name in ("alone", *_LONG)}
    with workplace() as folder, durable(folder) as server:
        _create_another(server)
        load = single_steps(server)
        for _ in range(plan.rounds):
            alone = measure(load, connections=CONNECTIONS, seconds=plan.seconds)
            p99["alone"].values.append(alone.p99_us)
            for name, (path, body) in _LONG.items():
                with _posted_again_and_again(server, path, json.dumps(body).encode()):
                    beside = measure(load, connections=CONNECTIONS, seconds=plan.seconds)
                p99[name].values.append(beside.p99_us)
    return [
        compared(
            f"p99 of single steps beside {name} of {STEPS:,} / alone",
            p99[name],
            p99["alone"],
            TARGET,
            "at most",
        )
        for name in _LONG
    ]


def _create_another(server: Server) -> None:
    """A session that the load does not step."""
    body = {"model": MODEL, "session_id": f"s{SESSIONS}"}
    httpx.post(f"{server.url}/v1/sessions", json=body).raise_for_status()


@contextmanager
def _posted_again_and_again(server: Server, path: str, body: bytes) -> Iterator[None]:
    """One request after the other for as long as the block lasts, the first of them answered.

    Raises RuntimeError when one was refused.
    """
    over, answered = threading.Event(), threading.Event()
    refused: list[str] = []

    def post() -> None:
        headers = {"content-type": "application/json"}
        with httpx.Client(base_url=server.url, timeout=120) as client:
            while not over.is_set() and not refused:
                with client.stream("POST", path, content=body, headers=headers) as answer:
                    # Read as it comes: to join the pieces would take from the load's core.
                    for _ in answer.iter_raw():
                        pass
                if answer.status_code != 200:
                    refused.append(f"{path}: {answer.status_code}")
                answered.set()

    thread = threading.Thread(target=post)
    thread.start()
    try:
        answered.wait(timeout=120)
        yield
    finally:
        over.set()
        thread.join()
    if refused:
        raise RuntimeError(refused[0])
