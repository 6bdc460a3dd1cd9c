"""Which faults there are, and when."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Protocol

Fault = Callable[[Random], Awaitable[None]]
"""Breaks something drawn at random, waits, mends it, and returns when it works again."""


class Deployment(Protocol):
    """What is under test, with its faults by name."""

    lanes: list[int]
    """Ports to send requests to, one or several times each."""
    faults: Mapping[str, Fault]

    def logs(self) -> str:
        """What its processes have said lately."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How often each fault happens, and the pause before each, in seconds.

    A fault does not wait for the one before it to be over, unless both want the same process.
    """

    counts: Mapping[str, int]
    shortest_pause: float = 0.5
    longest_pause: float = 1.5

    async def play(self, faults: Mapping[str, Fault], random: Random) -> None:
        """All faults in a random order; returns when everything is mended."""
        names = [name for name, count in self.counts.items() for _ in range(count)]
        random.shuffle(names)
        async with asyncio.TaskGroup() as group:
            for name in names:
                await asyncio.sleep(random.uniform(self.shortest_pause, self.longest_pause))
                group.create_task(_run(faults[name], Random(random.random())))


async def _run(fault: Fault, random: Random) -> None:
    await fault(random)
