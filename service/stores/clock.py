"""The clock by which sessions live, which does not believe a jump.

A store keeps, for every boot of a machine that uses it, the moment of the last look: wall time
and seconds since that boot. Between two looks time goes on by the boot's seconds alone, so that
nobody sees a wall clock that was set. At the next look the two are compared. Where they differ by
more than a minute, where the wall is behind what somebody else saw, or where nobody looked for
longer than expired sessions are kept, the wall is not believed: time goes on as if it had not
jumped, and nobody removes anything, until `python -m service clock accept`.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

MOST_DIFFERENCE_SECONDS = 60.0
"""How far wall time and boot time may part between two looks."""


class Look(NamedTuple):
    """What the clocks showed at one moment: seconds since the boot, seconds since the epoch."""

    boot_seconds: float
    wall_seconds: float


@dataclass(frozen=True, slots=True)
class Clocks:
    """The clocks of this machine. Tests have others, as has a store with a clock of its own."""

    boot_id: str
    boot: Callable[[], float]
    wall: Callable[[], float]

    @classmethod
    def of_this_machine(cls) -> "Clocks":
        file = Path("/proc/sys/kernel/random/boot_id")
        if not file.exists():  # not Linux: this process is all that is known to be one boot
            return cls(f"process {time.time_ns()}", time.monotonic, time.time)
        boot = _boot_seconds
        return cls(file.read_text("ascii").strip(), boot, time.time)


def _boot_seconds() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Looks(Protocol):
    """Where a store keeps the last look of every boot. Methods raise StoreError."""

    def read_looks(self) -> Mapping[str, Look]:
        """By boot id."""

    def write_look(self, boot_id: str, look: Look, *, alone: bool) -> None:
        """Keep a look; `alone` forgets those of all other boots."""


class StoreClock:
    """Time for one process, from the machine's clocks and the looks in a store."""

    def __init__(self, clocks: Clocks, looks: Looks, retention_seconds: float) -> None:
        """`retention_seconds` is how long expired sessions are kept. Raises StoreError."""
        self._clocks = clocks
        self._looks = looks
        self._retention_seconds = retention_seconds
        self._base = Look(clocks.boot(), clocks.wall())
        self._seen: Look | None = None
        self.held: str | None = None
        """Why the wall is not believed; None where it is."""
        self.refresh()

    def now(self) -> float:
        """Seconds since the epoch."""
        base = self._base
        return base.wall_seconds + self._clocks.boot() - base.boot_seconds

    def refresh(self) -> None:
        """Look at the clocks again. Raises StoreError."""
        known = self._looks.read_looks()
        look = Look(self._clocks.boot(), self._clocks.wall())
        self.held = self._doubt(known, look)
        if self.held is None:
            self._base = look
            self._looks.write_look(self._clocks.boot_id, look, alone=False)
        elif self._seen is None:
            self._base = self._continued(known, look)
        self._seen = look

    def accept(self) -> None:
        """Believe the wall as it is, in every process that shares the store. Raises StoreError."""
        look = Look(self._clocks.boot(), self._clocks.wall())
        self._looks.write_look(self._clocks.boot_id, look, alone=True)
        self._base, self._seen, self.held = look, look, None

    def _doubt(self, known: Mapping[str, Look], look: Look) -> str | None:
        if not known:
            return None
        own = known.get(self._clocks.boot_id)
        if own is not None:
            passed = look.boot_seconds - own.boot_seconds
            jump = look.wall_seconds - own.wall_seconds - passed
            if abs(jump) > MOST_DIFFERENCE_SECONDS:
                return f"the clock has jumped by {jump:+.0f} s"
        latest = max(one.wall_seconds for one in known.values())
        gap = look.wall_seconds - latest
        if gap < -MOST_DIFFERENCE_SECONDS:
            return f"the clock is {-gap:.0f} s behind what it showed before"
        if gap > self._retention_seconds:
            return f"{gap:.0f} s have passed unseen, which is longer than expired sessions are kept"
        return None

    def _continued(self, known: Mapping[str, Look], look: Look) -> Look:
        """Where time goes on for a process that starts with a clock that is not believed."""
        own = known.get(self._clocks.boot_id)
        passed = math.inf if own is None else look.boot_seconds - own.boot_seconds
        if own is None or not 0 <= passed <= self._retention_seconds:
            return Look(look.boot_seconds, max(one.wall_seconds for one in known.values()))
        return Look(look.boot_seconds, own.wall_seconds + passed)
