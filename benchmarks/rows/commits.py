"""Commits of groups of random sessions, one after the other, and the log beside the file.

Once of one process on the server's core, and once of two that write to the same file, each on a
core of its own. What checkpoints cost shows in the slowest of them.
"""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.tools.cores import LOAD_CORE, SERVER_CORE, pinned
from benchmarks.tools.filled_store import fill
from benchmarks.tools.row import Plan, Row, Series
from benchmarks.tools.workload import HIDDEN_SIZE

SESSIONS = 100_000
GROUP = 32
PAUSE_SECONDS = 1e-3
"""In which a service computes and answers: some 30 µs for each step."""
SECONDS = 5
"""At least, so that the log becomes full several times."""
CORES = {"one process": (SERVER_CORE,), "two processes": (SERVER_CORE, LOAD_CORE)}
P99_MS, LOG_MB = 5, 256


@dataclass(frozen=True, slots=True)
class _Round:
    commits_ms: list[float]
    """Of all processes together."""
    longest_log_mb: float


def rows(plan: Plan) -> list[Row]:
    found: dict[str, list[_Round]] = {name: [] for name in CORES}
    with TemporaryDirectory() as folder:
        file = Path(folder) / "commits.db"
        fill(file, 0, SESSIONS, HIDDEN_SIZE)
        for _ in range(plan.rounds):
            for name, rounds in found.items():
                rounds.append(_round(file, CORES[name], max(SECONDS, plan.seconds)))
    logs = [one.longest_log_mb for rounds in found.values() for one in rounds]
    return [
        *(_p99(name, rounds) for name, rounds in found.items()),
        Row("the log meanwhile, at its longest", [max(logs)], LOG_MB, "at most", "MB"),
    ]


def _p99(name: str, rounds: list[_Round]) -> Row:
    p50, p99, p999 = (
        Series(f"p{share}, ms", [float(np.percentile(one.commits_ms, share)) for one in rounds])
        for share in (50, 99, 99.9)
    )
    return Row(
        f"p99 of commits of {GROUP} random sessions of {SESSIONS:,}, {name}",
        p99.values,
        P99_MS,
        "at most",
        "ms",
        {one.name: one.median for one in (p50, p999)},
    )


def _round(file: Path, cores: tuple[int, ...], seconds: float) -> _Round:
    share = SESSIONS // len(cores)
    with TemporaryDirectory(dir=file.parent) as name:
        outs = [Path(name) / f"{core}.json" for core in cores]
        processes = [
            _writer(file, core, range(place * share, (place + 1) * share), seconds, out)
            for place, (core, out) in enumerate(zip(cores, outs, strict=True))
        ]
        longest = _longest_log(file, processes)
        commits = [taken for out in outs for taken in json.loads(out.read_text("ascii"))]
    return _Round([1e3 * taken for taken in commits], longest / 1e6)


def _writer(
    file: Path, core: int, numbers: range, seconds: float, out: Path
) -> subprocess.Popen[bytes]:
    command = [*pinned(core), sys.executable, "-m", "benchmarks.tools.writer", str(file)]
    command += [
        "--first",
        str(numbers.start),
        "--sessions",
        str(len(numbers)),
        "--group",
        str(GROUP),
    ]
    command += ["--pause", str(PAUSE_SECONDS), "--seconds", str(seconds), "--out", str(out)]
    return subprocess.Popen(command)


def _longest_log(file: Path, processes: list[subprocess.Popen[bytes]]) -> int:
    """In bytes, until all have ended. Raises RuntimeError where one has failed."""
    log, longest = file.with_name(f"{file.name}-wal"), 0
    while any(process.poll() is None for process in processes):
        longest = max(longest, log.stat().st_size if log.exists() else 0)
        time.sleep(0.005)
    if any(process.returncode for process in processes):
        raise RuntimeError("a process that commits has failed")
    return longest
