"""Single durable steps beside 10² to 10⁶ sessions, and the bytes of each on disk.

Once of sessions in use while all others are idle, and once of random ones out of all of them, of
which nearly every one has to be found in the file.
"""

from benchmarks.growth.curve import Curve
from benchmarks.growth.rounds import best
from benchmarks.tools.filled_store import bytes_on_disk, fill
from benchmarks.tools.row import Plan
from benchmarks.tools.servers import gatewise
from benchmarks.tools.workload import HIDDEN_SIZE, STEP, STEPS_PATH, workplace
from benchmarks.tools.wrk import Load

COUNTS = (100, 1_000, 10_000, 100_000, 1_000_000)
IN_USE = 1_000
_AXIS = "sessions"


def curves(plan: Plan) -> list[Curve]:
    in_use, p50, rate, size = [], [], [], []
    with workplace() as folder:
        file, filled = folder / "bench.db", 0
        for count in COUNTS:
            fill(file, filled, count, HIDDEN_SIZE)
            filled = count
            size.append((count, bytes_on_disk(file) / count))
            with gatewise(
                folder / "models", f"sqlite:///{file}", "--max-sessions", str(2 * COUNTS[-1])
            ) as server:
                few = Load(server.url, STEPS_PATH, STEP, min(count, IN_USE), random=True)
                load = Load(server.url, STEPS_PATH, STEP, count, random=True)
                used = best(few, 1, plan)
                one = best(load, 1, plan)
                many = best(load, 32, plan)
            in_use.append((count, used.p50_us))
            p50.append((count, one.p50_us))
            rate.append((count, many.requests_per_second))
    return [
        Curve(_AXIS, f"p50 of a single step, {IN_USE:,} sessions in use, µs", in_use),
        Curve(_AXIS, "p50 of a single step of a random session, µs", p50),
        Curve(_AXIS, "single steps of random sessions at 32 connections, steps/s", rate),
        Curve(_AXIS, "bytes of a session on disk", size),
    ]
