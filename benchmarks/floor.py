"""What bounds a step: the least that a durable one takes, beside the service.

    python -m benchmarks.floor [--rounds N] [--json FILE]

Over HTTP, interleaved, server on one core and load on another: an app that does nothing, an app
that does a durable step with nothing around it (`empty_apps.durable_step`), and the service. Then
in a loop in one process, by the size of a group: ONNX Runtime's run, SQLite's commit, and the
whole of a group, reading, running, committing.
"""

import argparse
import json
import statistics
import time
import timeit
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.servers import uvicorn_app
from benchmarks.workload import (
    MODEL,
    STEP,
    STEPS_PATH,
    bundle_of,
    durable,
    engine_of,
    single_steps,
    workplace,
)
from benchmarks.wrk import Load, measure, need_wrk
from service.bundle.bundle import read_bundle
from service.engine.engine import Engine
from service.engine.provider import Provider
from service.operations.inputs import JsonRows
from service.operations.limits import Limits
from service.operations.requests import Step
from service.repository.models import Models
from service.sessions.changing import advanced
from service.sessions.reader import Reader
from service.sessions.recent import Recent
from service.sessions.revisions import fresh_revision
from service.sessions.stepping import Stepper
from service.stores.open import open_store
from service.stores.store import Session, Store

SECONDS = 2
GROUPS = (1, 32, 256)
SESSIONS = 64
RAW, LEAST, SERVICE = "raw ASGI no-op", "the least durable step", "Gatewise"
ROW = np.array([[20.5, 1003.0, 0.4]], np.float32)

Figures = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what bounds a step.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also write the figures there")
    arguments = parser.parse_args()
    need_wrk()
    with workplace() as folder:
        figures = served(folder, arguments.rounds) | in_a_loop(folder)
    for name, value in figures.items():
        print(f"{name:62} {value:10.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")


def served(folder: Path, rounds: int) -> Figures:
    """Medians of the rounds: latency at 1 connection, throughput at 32."""
    found: dict[str, list[float]] = {}
    with (
        uvicorn_app("benchmarks.empty_apps:raw") as raw,
        uvicorn_app("benchmarks.empty_apps:durable_step") as least,
        durable(folder) as service,
    ):
        loads = {
            RAW: Load(raw.url, "/empty", STEP, 1),
            LEAST: Load(least.url, STEPS_PATH, STEP, SESSIONS),
            SERVICE: single_steps(service),
        }
        for _ in range(rounds):
            for name, load in loads.items():
                idle = measure(load, connections=1, seconds=SECONDS).p50_us
                busy = measure(load, connections=32, seconds=SECONDS).requests_per_second
                found.setdefault(f"p50 at 1 connection, µs: {name}", []).append(idle)
                found.setdefault(f"requests/s at 32 connections: {name}", []).append(busy)
    return {name: statistics.median(values) for name, values in sorted(found.items())}


def in_a_loop(folder: Path) -> Figures:
    """µs a session by what is done and how large the group is; the best of several tries."""
    engine = engine_of(folder)
    store = open_store(
        f"sqlite:///{folder}/loop.db", "normal", retention_seconds=1e6, timeout_seconds=2
    )
    try:
        sessions = [_session(number) for number in range(max(GROUPS))]
        for session in sessions:
            store.create(session)
        figures: Figures = {}
        for size in GROUPS:
            group = sessions[:size]
            figures |= _loops(folder, engine, store, group)
        return figures
    finally:
        store.close()


def _loops(folder: Path, engine: Engine, store: Store, group: list[Session]) -> Figures:
    size = len(group)
    inputs, states = np.repeat(ROW, size, 0), engine.initial_states(size)
    # Sessions advance from wherever the run before has left them.
    current = store.read([one.identity for one in group])
    commits = [one for one in current if isinstance(one, Session)]

    def commit() -> None:
        before, now = [*commits], store.now()
        commits[:] = [advanced(one, store, now, step=one.step + 1) for one in before]
        store.replace(commits, [one.revision for one in before])

    models = Models()
    models.add(Engine(read_bundle(bundle_of(folder)), Provider()))
    recent = Recent(10**8)
    step = Stepper(models, store, Reader(store, recent), recent, Limits(10**9)).run
    requests = [Step(one.session_id, JsonRows(ROW.tolist())) for one in group]
    return {
        f"group of {size}, µs a session: {what}": _best(call) / size
        for what, call in (
            ("ONNX Runtime", lambda: engine.step(inputs, states, gates=False)),
            ("SQLite", commit),
            ("all of it", lambda: step(requests)),
        )
    }


def _best(call: Callable[[], object]) -> float:
    """µs a call."""
    timer = timeit.Timer(call)
    count = max(5, timer.autorange()[0] // 4)
    return min(timer.repeat(7, count)) / count * 1e6


def _session(number: int) -> Session:
    now = time.time()
    state = np.zeros(64, np.float32)
    return Session(f"s{number}", MODEL, 1, 0, 1, fresh_revision(), state, now, now + 1e6, 1e6)


if __name__ == "__main__":
    main()
