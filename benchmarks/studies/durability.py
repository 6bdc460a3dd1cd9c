"""What durability and idempotency cost: single steps on SQLite beside the same in memory.

    python -m benchmarks.studies.durability [--json FILE]

One server process on one core, load (wrk, 32 connections) on another, candidates interleaved and
repeated. The claim: a durable step whose idempotency record is in the same commit reaches at
least 75 % of the throughput of a step in memory without one. Exit status 1 where it fails.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path

from benchmarks.tools.rounds import in_turns
from benchmarks.tools.row import Plan, ratios
from benchmarks.tools.servers import gatewise
from benchmarks.tools.workload import SESSIONS, STEP, STEPS_PATH, create_sessions, workplace
from benchmarks.tools.wrk import Load, need_wrk

ROUNDS = 7
SECONDS = 2
CONNECTIONS = 32
ALLOWED = 0.75

CANDIDATES = {
    "memory": ("memory", False),
    "memory, keyed": ("memory", True),
    "durable SQLite": ("sqlite", False),
    "durable SQLite, keyed": ("sqlite", True),
}
CLAIM = "durable SQLite, keyed / memory"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what durability costs.")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    arguments = parser.parse_args()
    need_wrk()
    figures = run()
    for name, value in figures.items():
        print(f"{name:46} {value:10.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    sys.exit(figures[CLAIM] < ALLOWED)


def run() -> dict[str, float]:
    """Steps per second, medians over the rounds, and ratios taken within each round."""
    with (
        workplace() as folder,
        gatewise(folder / "models", "memory://") as memory,
        gatewise(folder / "models", f"sqlite:///{folder}/bench.db") as sqlite,
    ):
        urls = {}
        for store, server in (("memory", memory), ("sqlite", sqlite)):
            create_sessions(server)
            urls[store] = server.url
        loads = {
            name: Load(urls[store], STEPS_PATH, STEP, SESSIONS, keyed)
            for name, (store, keyed) in CANDIDATES.items()
        }
        found = in_turns(loads, (CONNECTIONS,), Plan(ROUNDS, SECONDS, ()))
    rates = {name: found.rate(name, CONNECTIONS) for name in loads}
    figures = {f"{name}, steps/s": rate.median for name, rate in rates.items()}
    for above, below in (
        ("durable SQLite, keyed", "memory"),
        ("durable SQLite, keyed", "memory, keyed"),
        ("durable SQLite", "memory"),
    ):
        shares = ratios(rates[above].values, rates[below].values)
        figures[f"{above} / {below}"] = statistics.median(shares)
    return figures


if __name__ == "__main__":
    main()
