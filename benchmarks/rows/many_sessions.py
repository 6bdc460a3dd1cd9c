"""Single steps beside a million sessions, and beside a thousand.

Once of a thousand sessions in use while all others are idle, and once of random ones of all, of
which nearly every one has to be found in the file.
"""

from pathlib import Path

from benchmarks.tools.filled_store import fill
from benchmarks.tools.rounds import in_turns
from benchmarks.tools.row import Plan, Row, compared
from benchmarks.tools.servers import Server, gatewise
from benchmarks.tools.workload import HIDDEN_SIZE, STEP, STEPS_PATH, workplace
from benchmarks.tools.wrk import Load

FEW, MANY = 1_000, 1_000_000
AMONG_FEW, IN_USE, RANDOM = f"of {FEW:,}", f"{FEW:,} in use of {MANY:,}", f"random of {MANY:,}"
TARGET = 1.2


def rows(plan: Plan) -> list[Row]:
    with workplace() as folder, _filled(folder, FEW) as few, _filled(folder, MANY) as many:
        loads = {
            AMONG_FEW: Load(few.url, STEPS_PATH, STEP, FEW, random=True),
            IN_USE: Load(many.url, STEPS_PATH, STEP, FEW, random=True),
            RANDOM: Load(many.url, STEPS_PATH, STEP, MANY, random=True),
        }
        found = in_turns(loads, (1,), plan)
    return [
        compared(
            f"p50 of a single step, 1 connection, sessions {name} / {AMONG_FEW}",
            found.p50(name, 1),
            found.p50(AMONG_FEW, 1),
            TARGET,
            "at most",
        )
        for name in (IN_USE, RANDOM)
    ]


def _filled(folder: Path, sessions: int) -> Server:
    file = folder / f"{sessions}.db"
    fill(file, 0, sessions, HIDDEN_SIZE)
    flags = ("--max-sessions", str(2 * MANY))
    return gatewise(folder / "models", f"sqlite:///{file}", *flags)
