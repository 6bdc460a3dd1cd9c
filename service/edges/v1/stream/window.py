"""How much of one socket may be under way: beyond it nothing is read, and TCP holds the client."""

import asyncio

from service.edges.v1.stream.pending import PendingSteps
from service.errors import GatewiseError
from service.sessions.receipts import KEPT_RECEIPTS

MAX_UNANSWERED = 1024
"""Requests of one socket that were read and whose answers are not on their way yet."""


class Interrupted(GatewiseError):
    """The socket has gone, or takes nothing more; what waits for its turn is dropped."""


class Window:
    """Counts what is under way: requests, and the numbers that their answers take in memory.

    A request that is larger than the window alone passes when nothing else is under way.
    """

    def __init__(self, max_numbers: int) -> None:
        self.max_numbers = max_numbers
        self._moved = asyncio.Event()
        self._requests = 0
        self._numbers = 0
        self.interrupted = False

    @property
    def empty(self) -> bool:
        return not self._requests

    def is_open(self, requests: int, numbers: int) -> bool:
        return not self._requests or (
            self._requests + requests <= MAX_UNANSWERED
            and self._numbers + numbers <= self.max_numbers
        )

    def take(self, requests: int, numbers: int) -> None:
        self._requests += requests
        self._numbers += numbers

    def give_back(self, requests: int, numbers: int) -> None:
        self._requests -= requests
        self._numbers -= numbers
        self._moved.set()

    def move(self) -> None:
        """Wake up whoever waits: something is different."""
        self._moved.set()

    def interrupt(self) -> None:
        """Whoever waits, now or later, is sent away."""
        self.interrupted = True
        self._moved.set()

    async def moved(self) -> None:
        """Wait until something is different. Raises Interrupted."""
        self._moved.clear()
        if not self.interrupted:
            await self._moved.wait()
        if self.interrupted:
            raise Interrupted("the socket is closing")


def needs_receipts(pending: PendingSteps) -> bool:
    """Whether one more keyed request could push the receipt of an unanswered one out."""
    return pending.keyed and any(opened.keyed >= KEPT_RECEIPTS for opened in pending.opened)
