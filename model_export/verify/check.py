"""What was compared, and how far the two were apart."""

from dataclasses import dataclass

from service.engine.golden import TOLERANCE


@dataclass(frozen=True, slots=True)
class Check:
    """The largest deviation that was found and the largest allowed, relative to the scale of each
    column. `part` says where the two part, if that was looked for."""

    name: str
    deviation: float
    allowed: float = TOLERANCE
    part: str = ""

    @property
    def passed(self) -> bool:
        return self.deviation <= self.allowed

    def __str__(self) -> str:
        where = f"; {self.part}" if self.part else ""
        return f"{self.name}: off by {self.deviation:.2g}, allowed is {self.allowed:.2g}{where}"
