"""Clocks that a test moves."""

from service.stores.clock import Clocks


class ManualClocks:
    """A machine's clocks: seconds since its boot, and wall time in seconds since the epoch."""

    def __init__(self, wall: float = 1_800_000_000.0, boot_id: str = "first") -> None:
        self.wall = wall
        self.boot = 100.0
        self.boot_id = boot_id

    @property
    def clocks(self) -> Clocks:
        """What a process of this boot sees; it goes on with these."""
        return Clocks(self.boot_id, lambda: self.boot, lambda: self.wall)

    def pass_time(self, seconds: float) -> None:
        """Both go on, be it that the machine sleeps."""
        self.boot += seconds
        self.wall += seconds

    def jump(self, seconds: float) -> None:
        """Somebody sets the wall clock."""
        self.wall += seconds

    def reboot(self, boot_id: str, seconds: float = 30.0) -> None:
        """The machine starts anew, which takes so long."""
        self.boot_id = boot_id
        self.boot = 5.0
        self.wall += seconds
