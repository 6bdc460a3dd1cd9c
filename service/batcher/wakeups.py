"""How the event loop wakes a worker, and a worker the event loop.

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

_MANY_WAKEUPS = 4096


class Wakeup:
    """A pipe on which one thread sleeps; closed at the latest when nobody has it any more."""

    def __init__(self) -> None:
        self.read_end, self._write_end = os.pipe()
        os.set_blocking(self._write_end, False)
        self.close = weakref.finalize(self, _close, self.read_end, self._write_end)
        # Threads that nobody has stopped may still listen when the interpreter ends.
        self.close.atexit = False

    def wake(self) -> None:
        """Wake whoever reads."""
        os.write(self._write_end, b"\0")

    def wait(self) -> None:
        """Wait until somebody woke it, and take all wakes as one."""
        os.read(self.read_end, _MANY_WAKEUPS)


def _close(*ends: int) -> None:
    for end in ends:
        os.close(end)


class CompletionQueue(Generic[Item]):
    """What threads have for an event loop, handed over there in order."""

    def __init__(self, receive: Callable[[Item], None]) -> None:
        self._receive = receive
        self._completions: deque[Item] = deque()
        self._wakeup = Wakeup()
        self._woken = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def attach(self) -> None:
        """To the running event loop, if not yet done."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._wakeup.read_end, self._deliver)

    def put(self, completion: Item) -> None:
        """From any thread."""
        self._completions.append(completion)
        # Looked at after the completion is in, reset before they are taken: none is forgotten.
        if not self._woken:
            self._woken = True
            self._wakeup.wake()

    def close(self) -> None:
        """Deliver what is there, and no more. On the event loop, when no thread puts any more."""
        if self._loop is not None:
            self._loop.remove_reader(self._wakeup.read_end)
            self._loop = None
        self.deliver()
        self._wakeup.close()

    def _deliver(self) -> None:
        self._wakeup.wait()
        self._woken = False
        self.deliver()

    def deliver(self) -> None:
        """Hand over what is there. On the event loop."""
        while self._completions:
            self._receive(self._completions.popleft())
