"""The clock of a store in Redis: Redis' own time, the same for all that use it."""

import threading
from collections.abc import Mapping

from service.errors import StoreError
from service.stores.clock import Clocks, Look, StoreClock
from service.stores.redis.exchange import Exchange
from service.stores.redis.partitions import CLOCK
from service.stores.redis.scripts import LOOK, Command
from service.stores.redis.servers import Servers

FORGET_SECONDS = 30 * 86_400.0
"""A boot that nobody has looked at for so long is over, and its look is dropped."""

_LEAST_LOOKS = 8
_PARTITION = 0
_SLOW_SECONDS = 0.5
_MOST_TRIES = 5


class RedisClock(StoreClock):
    """Time by the Redis that keeps the looks, asked for at a refresh only.

    Between two looks it is this machine's boot that counts, so that telling the time takes no
    round trip, and goes on where Redis is away. Any thread may use it: it has a connection of its
    own.
    """

    def __init__(self, servers: Servers, retention_seconds: float, clocks: Clocks | None) -> None:
        """`clocks`, if any, take the place of this machine's and of Redis'. Raises StoreError."""
        self._exchange = Exchange(servers)
        self._lock = threading.Lock()
        self._known: Mapping[str, Look] = {}
        machine = clocks or Clocks.of_this_machine()
        self._boot = machine.boot
        wall = clocks.wall if clocks else self._wall
        trusted = Clocks(machine.boot_id, machine.boot, wall)
        try:
            super().__init__(trusted, self, retention_seconds)
        except BaseException:
            servers.close()
            raise

    def refresh(self) -> None:
        with self._lock:
            super().refresh()

    def accept(self) -> None:
        with self._lock:
            super().accept()

    def close(self) -> None:
        self._exchange.servers.close()

    def read_looks(self) -> Mapping[str, Look]:
        (pairs,) = self._exchange.ask([Command(_PARTITION, (b"HGETALL", CLOCK))])
        self._known = {
            boot_id.decode(errors="replace"): _look(text)
            for boot_id, text in zip(pairs[::2], pairs[1::2], strict=True)
        }
        return self._known

    def write_look(self, boot_id: str, look: Look, *, alone: bool) -> None:
        latest = sorted(self._known.items(), key=lambda one: one[1].wall_seconds, reverse=True)
        over = [
            one.encode()
            for one, known in latest[_LEAST_LOOKS:]
            if one != boot_id and known.wall_seconds < look.wall_seconds - FORGET_SECONDS
        ]
        text = f"{look.boot_seconds!r} {look.wall_seconds!r}".encode()
        mark = b"alone" if alone else b""
        command = LOOK.call(_PARTITION, [CLOCK], (boot_id.encode(), text, mark, *over))
        (reply,) = self._exchange.replies([command], changes=True)
        # A Redis that takes no writes (full, a broken disk) still tells the time. Who changes
        # sessions hears of it, and the next look is compared with an earlier one.
        if alone and isinstance(reply, StoreError):
            raise reply

    def _wall(self) -> float:
        for _ in range(_MOST_TRIES):
            asked = self._boot()
            ((seconds, microseconds),) = self._exchange.ask([Command(_PARTITION, (b"TIME",))])
            took = self._boot() - asked
            if took < _SLOW_SECONDS:
                # At the latest when it was asked: late rather than early, since what expires too
                # early is lost.
                return int(seconds) + int(microseconds) / 1e6 - took
        raise StoreError("Redis is too slow to tell the time")


def _look(text: bytes) -> Look:
    try:
        boot_seconds, wall_seconds = map(float, text.split())
    except ValueError:
        raise StoreError(
            f"the key {CLOCK.decode()} in this Redis is not what a clock left; remove it"
        ) from None
    return Look(boot_seconds, wall_seconds)
