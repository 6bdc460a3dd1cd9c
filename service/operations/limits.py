"""How much one request may ask for."""

from service.bundle.manifest import Manifest
from service.errors import InvalidInput
from service.records import record


@record
class Limits:
    """`max_numbers` bounds what one request computes: outputs, states and gates."""

    max_numbers: int

    def check_steps(self, steps: int, manifest: Manifest, *, gates: bool) -> None:
        """Raises InvalidInput where so many time steps take more numbers than are allowed."""
        numbers = numbers_of(steps, manifest, gates=gates)
        if numbers > self.max_numbers:
            most = self.max_numbers // numbers_of(1, manifest, gates=gates)
            raise InvalidInput.at(
                (),
                f"{steps} time steps take {numbers} numbers (outputs, states"
                f"{', gates' if gates else ''}), at most {self.max_numbers} are allowed; send at "
                f"most {most} steps at once",
            )


def numbers_of(steps: int, manifest: Manifest, *, gates: bool) -> int:
    """How many numbers so many time steps take: outputs, states, gates."""
    shown = len(manifest.shown_names) * manifest.gate_size if gates else 0
    return steps * (manifest.output.width + manifest.state_size + shown)


class Budget:
    """What the parts of one request may compute together."""

    def __init__(self, limits: Limits) -> None:
        self._most = limits.max_numbers
        self._taken: dict[int, int] = {}
        self._total = 0

    def take(self, part: int, numbers: int) -> None:
        """Count a part, once however often it is tried. Raises InvalidInput where it is much."""
        total = self._total + numbers - self._taken.get(part, 0)
        if total > self._most:
            raise InvalidInput.at(
                (),
                f"the items up to this one take {total} numbers (outputs, states, gates), "
                f"at most {self._most} are allowed; send them in several requests",
            )
        self._total, self._taken[part] = total, numbers
