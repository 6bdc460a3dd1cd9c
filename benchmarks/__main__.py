"""Every figure that the design promises, measured in one run: `make bench`.

    python -m benchmarks [--rows NAME …] [--peers NAME …] [--rounds N] [--seconds S] [--out FOLDER]

Prints one table and writes it as bench.json and bench.svg. Exit status 1 where a target is missed.
"""

import argparse
import os
import signal
import sys
from importlib import import_module
from pathlib import Path

from benchmarks.peers.peer import PEERS
from benchmarks.tools import table
from benchmarks.tools.machine import this_machine
from benchmarks.tools.row import Plan, Row
from benchmarks.tools.wrk import need_wrk

ROWS = (
    "single_step",
    "peer_steps",
    "stream",
    "many_steps",
    "gates",
    "long_sequence",
    "beside_sequence",
    "commits",
    "workers",
    "idle_sessions",
    "many_sessions",
    "start",
)
"""The modules that measure, each by its `rows(plan)`."""

FOLDER = Path("docs/performance")


def main() -> None:
    arguments = _arguments()
    need_wrk()
    # As an exception, so that the servers are stopped too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if (os.cpu_count() or 1) < 2:
        sys.exit("needs two cores: one for the server, one for the load")
    plan = Plan(arguments.rounds, arguments.seconds, tuple(arguments.peers))
    machine = this_machine()
    rows = [row for name in arguments.rows for row in _rows(name, plan)]
    print(machine.line())
    print(table.text(rows))
    table.write(rows, machine, arguments.out / "bench.json")
    # Imported here, so that nothing is drawn with while it is measured.
    import_module("benchmarks.tools.picture").draw(rows, arguments.out / "bench.svg")
    sys.exit(any(row.met is False for row in rows))


def _rows(name: str, plan: Plan) -> list[Row]:
    print(f"measuring {name} …", file=sys.stderr, flush=True)
    found: list[Row] = import_module(f"benchmarks.rows.{name}").rows(plan)
    print(table.text(found), file=sys.stderr, flush=True)
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=ROWS, metavar="NAME")
    parser.add_argument("--peers", nargs="*", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds of each row")
    parser.add_argument("--seconds", type=int, default=2, help="of one load in one round")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for JSON and picture")
    return parser.parse_args()


if __name__ == "__main__":
    main()
