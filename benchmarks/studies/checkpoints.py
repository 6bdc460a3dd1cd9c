"""What checkpoints cost those who commit: several processes that write to one SQLite file.

    python -m benchmarks.studies.checkpoints [--writers N] [--sessions N] [--group N] [--pause S]

Each writer steps random sessions of its own in groups, with a pause between two commits, in which
a service would compute. The claims: the log beside the file stays under 256 MB, and a commit takes
under 5 ms at the 99th percentile, on a machine with a core for each writer and a disk of its own.
Exit status 1 where one fails.
"""

import argparse
import json
import random
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import randbits
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.tools.filled_store import counted, fill
from service.stores.sqlite.store import SqliteStore
from service.stores.store import Identity, Session

LOG_BYTES = 256e6
P99_SECONDS = 5e-3
_STATE_SIZE = 64


@dataclass(frozen=True)
class Figures:
    """Of all writers together."""

    p50: float
    p99: float
    p999: float
    longest: float
    steps_per_second: float
    longest_log: int

    def line(self) -> str:
        return (
            f"commits p50 {1e3 * self.p50:.2f} p99 {1e3 * self.p99:.2f} "
            f"p99.9 {1e3 * self.p999:.2f} longest {1e3 * self.longest:.1f} ms; "
            f"{self.steps_per_second:,.0f} steps/s; log up to {self.longest_log / 1e6:.0f} MB"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--sessions", type=int, default=100_000, help="of all writers together")
    parser.add_argument("--group", type=int, default=32, help="sessions in one commit")
    parser.add_argument("--pause", type=float, default=2e-3, help="seconds between two commits")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--writes", metavar="FILE", help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.writes:
        _write(arguments)
        return
    figures = run(arguments)
    print(figures.line())
    sys.exit(figures.longest_log > LOG_BYTES or figures.p99 > P99_SECONDS)


def run(arguments: argparse.Namespace) -> Figures:
    """Fill a file, and let the writers at it."""
    writers, seconds = arguments.writers, arguments.seconds
    with TemporaryDirectory() as folder:
        file = Path(folder) / "sessions.db"
        fill(file, 0, arguments.sessions, _STATE_SIZE)
        share = arguments.sessions // writers
        processes = [
            subprocess.Popen(
                [
                    *(
                        sys.executable,
                        "-m",
                        "benchmarks.studies.checkpoints",
                        "--writes",
                        str(file),
                    ),
                    *("--first", str(share * number), "--sessions", str(share)),
                    *("--group", str(arguments.group), "--pause", str(arguments.pause)),
                    *("--seconds", str(seconds)),
                    *("--out", f"{folder}/{number}.json"),
                ]
            )
            for number in range(writers)
        ]
        longest = 0
        log = file.with_name(f"{file.name}-wal")
        while any(process.poll() is None for process in processes):
            longest = max(longest, log.stat().st_size if log.exists() else 0)
            time.sleep(0.005)
        assert all(process.returncode == 0 for process in processes)
        taken: list[float] = []
        for number in range(writers):
            taken += json.loads(Path(folder, f"{number}.json").read_text("ascii"))
    p50, p99, p999 = np.percentile(taken, [50, 99, 99.9])
    rate = len(taken) * arguments.group / seconds
    return Figures(p50, p99, p999, max(taken), rate, longest)


def _write(arguments: argparse.Namespace) -> None:
    """One writer; writes down the seconds that each commit took."""
    store = SqliteStore(Path(arguments.writes))
    numbers = range(arguments.first, arguments.first + arguments.sessions)
    known: dict[int, Session] = {}
    for start in range(0, len(numbers), 1000):
        chunk = numbers[start : start + 1000]
        found = store.read([Identity("", counted(number)) for number in chunk])
        known.update(
            (number, one)
            for number, one in zip(chunk, found, strict=True)
            if isinstance(one, Session)
        )
    taken = []
    end = time.perf_counter() + arguments.seconds
    while (begin := time.perf_counter()) < end:
        chosen = random.sample(numbers, arguments.group)
        before = [known[number] for number in chosen]
        after = [
            replace(one, step=one.step + 1, changes=one.changes + 1, revision=randbits(63))
            for one in before
        ]
        begin = time.perf_counter()
        assert all(one is True for one in store.replace(after, [one.revision for one in before]))
        taken.append(time.perf_counter() - begin)
        known.update(zip(chosen, after, strict=True))
        time.sleep(arguments.pause)
    store.close()
    arguments.out.write_text(json.dumps(taken), "ascii")


if __name__ == "__main__":
    main()
