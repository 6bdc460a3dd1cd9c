"""Whether a balancer may send requests here."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from service.errors import Overloaded, ShuttingDown, StoreError
from service.sessions.sessions import Sessions

PATIENCE_SECONDS = 0.5


class Readiness:
    """`draining` says that the process will stop: it serves on, but wants no new clients."""

    def __init__(self) -> None:
        self.draining = False
        self.before_closing: list[Callable[[], Awaitable[None]]] = []
        """What is to be finished when no new connections are taken any more."""

    async def check(self, sessions: Sessions) -> None:
        """Raises ShuttingDown while the process drains, StoreError when the store fails.

        A store that is only busy counts as ready: taking a loaded replica out of the balance
        would load the others even more. One that does not answer, and failed when it was asked
        last, is not busy but hangs.
        """
        if self.draining:
            raise ShuttingDown("the service is stopping; use another replica")
        with suppress(TimeoutError, Overloaded, StoreError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await sessions.probe()
                return
        if sessions.store_failure is not None:
            raise sessions.store_failure
