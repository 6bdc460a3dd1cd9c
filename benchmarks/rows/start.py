"""From the start of the process to the first answer that it is ready; and what it imports."""

import re
import tempfile
from pathlib import Path

from benchmarks.tools.row import Plan, Row
from benchmarks.tools.workload import workplace
from tests.service_process import ServiceProcess

TARGET = 1.5


def rows(plan: Plan) -> list[Row]:
    with workplace() as folder:
        seconds = [_seconds_to_ready(folder) for _ in range(plan.rounds)]
        torch = _mapped_torch(folder)
    return [
        Row(
            "start to ready, without torch",
            [] if torch else seconds,
            TARGET,
            "at most",
            "s",
            note=f"torch is loaded: {', '.join(torch)}" if torch else "",
        )
    ]


def _seconds_to_ready(folder: Path) -> float:
    service = _started(folder)
    service.kill()
    return service.seconds_to_ready


def _mapped_torch(folder: Path) -> list[str]:
    """The files of torch in the memory of a service that is ready."""
    service = _started(folder)
    maps = Path(f"/proc/{service.pid}/maps").read_text("utf-8")
    service.kill()
    return sorted(set(re.findall(r"/torch/\S+", maps)))


def _started(folder: Path) -> ServiceProcess:
    with tempfile.TemporaryDirectory() as name:
        log = Path(name) / "log"
        return ServiceProcess(folder / "models", f"sqlite:///{folder}/bench.db", log)
