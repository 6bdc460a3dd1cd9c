"""What a fault run counts, and how it is printed."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

_KILLS = ("kill", "restore")


class Restore(NamedTuple):
    """A store came back with what it held at `saved_at`; it was started again at `started_at`."""

    saved_at: float
    started_at: float


@dataclass
class Figures:
    """Counts of one run. Times are seconds since it began."""

    clock: Callable[[], float] = time.monotonic
    sessions: int = 0
    steps: int = 0
    requests: Counter[str] = field(default_factory=Counter)
    """Requests that were answered, by operation."""
    retries: Counter[str] = field(default_factory=Counter)
    """Attempts that failed and were made again, by reason."""
    replays: int = 0
    duplicates: int = 0
    abandoned: int = 0
    late: Counter[str] = field(default_factory=Counter)
    """What became of attempts that their client had given up on."""
    late_retries: int = 0
    not_kept: int = 0
    conflicts: int = 0
    unknown: int = 0
    """Requests without key and condition that were not answered."""
    lost: int = 0
    """Sessions that a store has lost altogether."""
    restores: list[Restore] = field(default_factory=list)
    fell_back: Counter[str] = field(default_factory=Counter)
    """How sessions that fell back with their store were noticed."""
    faults: Counter[str] = field(default_factory=Counter)
    fault_log: list[str] = field(default_factory=list)
    longest_wait: float = 0.0
    """From the first attempt of a request to its answer."""
    longest_silence: float = 0.0
    """Without any answer to anybody."""
    answers_equal: int = 0
    """Answers equal to the undisturbed ones in every bit."""
    answers_compared: int = 0
    states_equal: int = 0
    states_compared: int = 0

    def __post_init__(self) -> None:
        self._started = self.clock()
        self._last_answer: float | None = None

    @property
    def seconds(self) -> float:
        return self.clock() - self._started

    @property
    def kills(self) -> int:
        return sum(count for fault, count in self.faults.items() if fault.startswith(_KILLS))

    def answered(self, waited: float) -> None:
        now = self.seconds
        self.longest_wait = max(self.longest_wait, waited)
        if self._last_answer is not None:
            self.longest_silence = max(self.longest_silence, now - self._last_answer)
        self._last_answer = now

    def fault(self, name: str, target: str) -> None:
        self.faults[name] += 1
        self.note(f"{name} {target}")

    def note(self, event: str) -> None:
        self.fault_log.append(f"{self.seconds:8.3f} s  {event}")

    def table(self) -> str:
        """Two columns of Markdown."""
        rows = [
            ("sessions", f"{self.sessions:,}"),
            ("time steps applied", f"{self.steps:,}"),
            ("requests answered", _sum(self.requests)),
            ("kills (-9)", f"{self.kills}"),
            ("faults", _sum(self.faults)),
            ("retries", _sum(self.retries)),
            ("replays (an earlier try had been applied)", f"{self.replays:,}"),
            ("sent twice at once", f"{self.duplicates:,}"),
            ("abandoned, then sent again", f"{self.abandoned:,}"),
            ("given up on, and answered later", _sum(self.late)),
            ("repeated after newer ones", f"{self.late_retries:,} ({self.not_kept:,} not kept)"),
            ("without key and condition, and not answered", f"{self.unknown:,}"),
            ("conflicts (409, 412)", f"{self.conflicts:,}"),
            ("longest wait for an answer", f"{self.longest_wait:.1f} s"),
            ("longest time without any answer", f"{self.longest_silence:.1f} s"),
            ("answers equal bit for bit", _share(self.answers_equal, self.answers_compared)),
            ("states equal bit for bit", _share(self.states_equal, self.states_compared)),
            (
                "sessions not as in the undisturbed run",
                f"{self.sessions - self.lost - self.states_compared}",
            ),
            ("duration", f"{self.seconds:.0f} s"),
        ]
        if self.restores:
            rows.insert(-1, ("sessions fell back with the store", _sum(self.fell_back)))
        return "\n".join(["| what | figure |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows)])


def _sum(counts: Counter[str]) -> str:
    parts = ", ".join(f"{name} {count:,}" for name, count in counts.most_common())
    return f"{counts.total():,} ({parts})" if counts else "0"


def _share(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,}" + (f" ({part / whole:.2%})" if whole else "")
