"""Single durable steps of random sessions out of 10² to 10⁶, and the bytes of each on disk."""

from benchmarks.filled_store import bytes_on_disk, fill
from benchmarks.growth.curve import Curve
from benchmarks.growth.rounds import best
from benchmarks.row import Plan
from benchmarks.servers import gatewise
from benchmarks.workload import HIDDEN_SIZE, STEP, STEPS_PATH, workplace
from benchmarks.wrk import Load

COUNTS = (100, 1_000, 10_000, 100_000, 1_000_000)
_AXIS = "sessions"


def curves(plan: Plan) -> list[Curve]:
    p50, rate, size = [], [], []
    with workplace() as folder:
        file, filled = folder / "bench.db", 0
        for count in COUNTS:
            fill(file, filled, count, HIDDEN_SIZE)
            filled = count
            size.append((count, bytes_on_disk(file) / count))
            with gatewise(
                folder / "models", f"sqlite:///{file}", "--max-sessions", str(2 * COUNTS[-1])
            ) as server:
                load = Load(server.url, STEPS_PATH, STEP, count, random=True)
                one = best(load, 1, plan)
                many = best(load, 32, plan)
            p50.append((count, one.p50_us))
            rate.append((count, many.requests_per_second))
    return [
        Curve(_AXIS, "p50 of a single step, µs", p50),
        Curve(_AXIS, "single steps at 32 connections, steps/s", rate),
        Curve(_AXIS, "bytes of a session on disk", size),
    ]
