"""Loads that take turns, so that what disturbs one round disturbs all of them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from benchmarks.tools.row import Plan, Series
from benchmarks.tools.wrk import Load, Measured, measure


@dataclass(frozen=True, slots=True)
class Rounds:
    """What was measured of each load at so many connections, once a round."""

    measured: Mapping[tuple[str, int], list[Measured]]

    def rate(self, name: str, connections: int) -> Series:
        found = self.measured[name, connections]
        return Series(f"{name}, requests/s", [one.requests_per_second for one in found])

    def p50(self, name: str, connections: int) -> Series:
        return Series(f"{name}, µs", [one.p50_us for one in self.measured[name, connections]])


def in_turns(loads: Mapping[str, Load], connections: Iterable[int], plan: Plan) -> Rounds:
    """Every load by its name, at each number of connections."""
    measured: dict[tuple[str, int], list[Measured]] = defaultdict(list)
    for _ in range(plan.rounds):
        for count in connections:
            for name, load in loads.items():
                found = measure(load, connections=count, seconds=plan.seconds)
                measured[name, count].append(found)
    return Rounds(measured)
