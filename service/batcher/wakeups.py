"""How the event loop wakes a lane, and a lane the event loop.

A thread that is woken wants the interpreter's lock at once. Python's own queues and
`call_soon_threadsafe` wake it while they hold that lock, so that on a busy core it starts, waits
for the lock and sleeps again: six switches of threads for one hop there and back. Writing to a
pipe gives the lock away first, and two are enough.
"""

import asyncio
import os
import weakref
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")

_MANY_RINGS = 4096


class Pipe:
    """Both ends of one, closed at the latest when nobody has it any more."""

    def __init__(self) -> None:
        self.read_end, self._write_end = os.pipe()
        os.set_blocking(self._write_end, False)
        self.close = weakref.finalize(self, _close, self.read_end, self._write_end)
        # Threads that nobody has stopped may still listen when the interpreter ends.
        self.close.atexit = False

    def ring(self) -> None:
        """Wake whoever reads."""
        os.write(self._write_end, b"\0")

    def heard(self) -> None:
        """Wait until it was rung, and take all rings as one."""
        os.read(self.read_end, _MANY_RINGS)


def _close(*ends: int) -> None:
    for end in ends:
        os.close(end)


class Mailbox(Generic[Item]):
    """What threads have for an event loop, handed over there in order."""

    def __init__(self, receive: Callable[[Item], None]) -> None:
        self._receive = receive
        self._letters: deque[Item] = deque()
        self._pipe = Pipe()
        self._rung = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def attach(self) -> None:
        """To the running event loop, if not yet done."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._pipe.read_end, self._deliver)

    def put(self, letter: Item) -> None:
        """From any thread."""
        self._letters.append(letter)
        # Looked at after the letter is in, reset before the letters are taken: none is left lying.
        if not self._rung:
            self._rung = True
            self._pipe.ring()

    def close(self) -> None:
        """Deliver what is there, and no more. On the event loop, when no thread puts any more."""
        if self._loop is not None:
            self._loop.remove_reader(self._pipe.read_end)
            self._loop = None
        self._take_all()
        self._pipe.close()

    def _deliver(self) -> None:
        self._pipe.heard()
        self._rung = False
        self._take_all()

    def _take_all(self) -> None:
        while self._letters:
            self._receive(self._letters.popleft())
