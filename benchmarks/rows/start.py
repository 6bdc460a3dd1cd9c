"""From the start of the process until every worker is ready; and what it imports."""

import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.tools.row import Plan, Row
from benchmarks.tools.workload import workplace
from tests.service_process import ServiceProcess

TARGETS = {1: 1.0, 2: 1.5}
"""Seconds by the number of workers."""


def rows(plan: Plan) -> list[Row]:
    with workplace() as folder:
        seconds: dict[int, list[float]] = {workers: [] for workers in TARGETS}
        for _ in range(plan.rounds):
            for workers, found in seconds.items():
                found.append(_seconds_to_ready(folder, workers))
        torch = _mapped_torch(folder)
    return [
        Row(
            f"start to ready, without torch, workers: {workers}",
            [] if torch else seconds[workers],
            target,
            "at most",
            "s",
            note=f"torch is loaded: {', '.join(torch)}" if torch else "",
        )
        for workers, target in TARGETS.items()
    ]


def _seconds_to_ready(folder: Path, workers: int) -> float:
    began = time.monotonic()
    with _started(folder, workers) as service:
        # The first answer is that of the first worker.
        service.wait_for("ready", workers)
        return time.monotonic() - began


def _mapped_torch(folder: Path) -> list[str]:
    """The files of torch in the memory of a service that is ready."""
    with _started(folder, 1) as service:
        maps = Path(f"/proc/{service.pid}/maps").read_text("utf-8")
    return sorted(set(re.findall(r"/torch/\S+", maps)))


@contextmanager
def _started(folder: Path, workers: int) -> Iterator[ServiceProcess]:
    with tempfile.TemporaryDirectory() as name:
        store = f"sqlite:///{folder}/start.db"
        flags = ("--workers", str(workers))
        service = ServiceProcess(folder / "models", store, Path(name) / "log", *flags)
        try:
            yield service
        finally:
            service.stop()
