"""How the figures grow, from few to many: `make bench-growth`.

    python -m benchmarks.growth [--curves NAME …] [--rounds N] [--seconds S] [--out FOLDER]

Prints every curve and the steps in it, and writes them as growth.json and growth.svg.
"""

import argparse
import json
import signal
import sys
from importlib import import_module
from pathlib import Path

from benchmarks.growth.curve import Curve
from benchmarks.tools.machine import this_machine
from benchmarks.tools.row import Plan
from benchmarks.tools.table import shown
from benchmarks.tools.wrk import need_wrk

AXES = ("sessions", "time_steps", "widths", "connections")
FOLDER = Path("docs/performance")


def main() -> None:
    arguments = _arguments()
    need_wrk()
    # As an exception, so that the servers are stopped too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    plan = Plan(arguments.rounds, arguments.seconds, ())
    machine = this_machine()
    print(machine.line())
    curves: list[Curve] = []
    for name in arguments.curves:
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        found: list[Curve] = import_module(f"benchmarks.growth.{name}").curves(plan)
        print("\n".join(map(text, found)), flush=True)
        curves += found
    document = {
        "machine": machine.described(),
        "curves": [curve.described() for curve in curves],
    }
    arguments.out.mkdir(parents=True, exist_ok=True)
    file = arguments.out / "growth.json"
    file.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", "utf-8")
    import_module("benchmarks.growth.picture").draw(curves, arguments.out / "growth.svg")


def text(curve: Curve) -> str:
    """The curve in one line, and one more for each step in it."""
    points = "  ".join(f"{along:g}: {shown(figure)}" for along, figure in curve.points)
    steps = "".join(f"\n    STEP {step}" for step in curve.steps())
    return f"{curve.figure} by {curve.axis}:  {points}{steps}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--curves", nargs="+", choices=AXES, default=AXES, metavar="NAME")
    parser.add_argument("--rounds", type=int, default=3, help="the best of so many")
    parser.add_argument("--seconds", type=int, default=2, help="of one load in one round")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for JSON and picture")
    return parser.parse_args()


if __name__ == "__main__":
    main()
