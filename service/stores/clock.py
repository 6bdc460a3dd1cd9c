"""The clock by which sessions live, which does not believe a jump.

A store keeps, for every boot of a machine that uses it, the moment of the last look: wall time
and seconds since that boot. Between two looks time goes on by the boot's seconds alone, so that
nobody sees a wall clock that was set. At the next look the two are compared. Where they differ by
more than a minute, where the wall is behind what was seen before, or where nobody looked for
longer than expired sessions are kept, the wall is not believed: time goes on as if it had not
jumped, and nobody removes anything, until the wall is right again or somebody says
`python -m service clock accept`.

A process that does not believe the wall keeps its looks apart from the others, with the time that
it goes by instead: all processes of a boot that start meanwhile go by the same time, and the wall
is still compared with the last one that was believed.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

MOST_DIFFERENCE_SECONDS = 60.0
"""How far wall time and boot time may part between two looks."""

RETENTION_SECONDS = 2 * 86_400.0
"""How long expired sessions are kept, unless a service says otherwise."""

_MOST_BETWEEN_TWO_CLOCKS = 1.0
_DOUBTED = " doubted"


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
        return cls(file.read_text("ascii").strip(), _boot_seconds, time.time)

    def look(self) -> Look:
        """Both clocks at one moment: a process may be stopped between the two."""
        while True:
            before, wall, after = self.boot(), self.wall(), self.boot()
            if after - before < _MOST_BETWEEN_TWO_CLOCKS:
                return Look(before, wall)


def _boot_seconds() -> float:
    # Goes on while the machine sleeps, which is no jump.
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Looks(Protocol):
    """Where a store keeps the last look of every boot. Methods raise StoreError.

    It may forget all but those with the latest wall time, and keeps at least eight.
    """

    def read_looks(self) -> Mapping[str, Look]:
        """By boot id."""

    def write_look(self, boot_id: str, look: Look, *, alone: bool) -> None:
        """Keep a look in the place of the last one of this id; `alone` forgets all other ids."""


class StoreClock:
    """Time for one process, from the machine's clocks and the looks in a store."""

    def __init__(self, clocks: Clocks, looks: Looks, retention_seconds: float) -> None:
        """`retention_seconds` is how long expired sessions are kept. Raises StoreError."""
        self._clocks = clocks
        self._looks = looks
        self._retention_seconds = retention_seconds
        self._base = clocks.look()
        self._running = False
        self.held: str | None = None
        """Why the wall is not believed; None where it is."""
        self.refresh()

    def now(self) -> float:
        """Seconds since the epoch."""
        base = self._base
        return base.wall_seconds + self._clocks.boot() - base.boot_seconds

    def refresh(self) -> None:
        """Look at the clocks again. Raises StoreError, after which time goes on as before."""
        known = self._looks.read_looks()
        look = self._clocks.look()
        held = self._doubt(known, look)
        boot_id = self._clocks.boot_id
        if held is not None:
            look = self._continued(known, look.boot_seconds)
            # The wall itself must not be kept: the next process would compare with it.
            boot_id += _DOUBTED
        self._base, self.held, self._running = look, held, True
        self._looks.write_look(boot_id, look, alone=False)

    def accept(self) -> None:
        """Believe the wall as it is, in every process that shares the store. Raises StoreError."""
        look = self._clocks.look()
        self._looks.write_look(self._clocks.boot_id, look, alone=True)
        self._base, self.held = look, None

    def _doubt(self, known: Mapping[str, Look], look: Look) -> str | None:
        if not known:
            return None
        own = known.get(self._clocks.boot_id)
        if own is not None:
            jump = look.wall_seconds - own.wall_seconds - (look.boot_seconds - own.boot_seconds)
            if abs(jump) > MOST_DIFFERENCE_SECONDS:
                return f"the clock has jumped by {jump:+.0f} s"
            if self._running and self.held is None:
                # This process was there all the time, be it that it could not reach the store.
                return None
        gap = look.wall_seconds - max(one.wall_seconds for one in known.values())
        if gap < -MOST_DIFFERENCE_SECONDS:
            return f"the clock is {-gap:.0f} s behind what it showed before"
        if gap > self._retention_seconds:
            return f"{gap:.0f} s have passed unseen, which is longer than expired sessions are kept"
        return None

    def _continued(self, known: Mapping[str, Look], boot_seconds: float) -> Look:
        """Where time goes on while the wall is not believed."""
        boot_id = self._clocks.boot_id
        own = [known[one] for one in (boot_id, boot_id + _DOUBTED) if one in known]
        if not own:
            now = self.now() if self._running else max(one.wall_seconds for one in known.values())
            return Look(boot_seconds, now)
        last = max(own)
        passed = boot_seconds - last.boot_seconds
        # A machine that was put back to an earlier moment has fewer seconds than it had.
        unseen = passed < 0 or (passed > self._retention_seconds and not self._running)
        return Look(boot_seconds, last.wall_seconds + (0.0 if unseen else passed))
