"""Two worker processes beside one, their sessions alternating between them.

Each step goes to whichever worker has the connection that is free. Both services may use two
cores: on a machine with only two the load has the second one as well, and takes the same of it
from both.
"""

import os
from pathlib import Path

import httpx

from benchmarks.tools.cores import LOAD_CORE, SERVER_CORE
from benchmarks.tools.rounds import in_turns
from benchmarks.tools.row import Plan, Row, compared
from benchmarks.tools.servers import Server, gatewise
from benchmarks.tools.workload import create_sessions, single_steps, workplace
from tests.metrics_page import read_metrics, value_of

ONE, TWO = "1 worker", "2 workers"


def rows(plan: Plan) -> list[Row]:
    cores = (SERVER_CORE, LOAD_CORE + 1 if (os.cpu_count() or 1) > 2 else LOAD_CORE)
    with (
        workplace() as folder,
        _workers(folder, 1, cores) as one,
        _workers(folder, 2, cores) as two,
    ):
        found = in_turns({ONE: single_steps(one), TWO: single_steps(two)}, (32,), plan)
        twice = _computed_twice(two)
    pinned = f"servers on cores {cores[0]} and {cores[1]}, load on {LOAD_CORE}"
    return [
        twice,
        compared(
            f"single step, 32 connections, {TWO} / {ONE} ({pinned})",
            found.rate(TWO, 32),
            found.rate(ONE, 32),
            1.0,
            "at least",
        ),
    ]


def _workers(folder: Path, count: int, cores: tuple[int, int]) -> Server:
    store = f"sqlite:///{folder}/workers{count}.db"
    server = gatewise(folder / "models", store, "--workers", str(count), cores=cores)
    try:
        create_sessions(server)
    except BaseException:
        server.stop()
        raise
    return server


def _computed_twice(server: Server) -> Row:
    """Those whose commit came too late, of all that were applied since the start."""
    with httpx.Client(base_url=server.url) as client:
        shown = read_metrics(client)
    steps = value_of(shown, "gatewise_steps_total")
    late = value_of(shown, "gatewise_conflicts_total")
    return Row(
        f"steps computed twice, 32 connections, {TWO}",
        [100 * late / steps],
        1,
        "at most",
        "%",
        {"steps": steps, "of them twice": late},
    )
