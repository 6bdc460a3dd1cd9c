"""Clients that go away while their request waits: it is dropped before its turn comes.

A client that gave up has perhaps asked somebody else meanwhile. Whether one has gone is looked at
only for requests that have waited for a while: a watch on every connection would cost as much as
a step.
"""

import asyncio
from typing import Any, TypeVar

from starlette.types import Receive

Result = TypeVar("Result")

LOOK_SECONDS = 0.1
"""How often requests that wait are looked at, and how long one has waited by then at least."""


class ClientLeft(Exception):
    """Nobody waits for the answer any more; what had not begun is not applied."""


class Departures:
    """Requests that wait, all on one event loop."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[Any], tuple[float, Receive]] = {}
        self._watches: dict[asyncio.Future[Any], asyncio.Task[None]] = {}
        self._abandoned: set[asyncio.Future[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self, future: asyncio.Future[Result], receive: Receive) -> Result:
        """What the future gives; it is cancelled where the client leaves first.

        The request's body has been read. Raises ClientLeft.
        """
        loop = asyncio.get_running_loop()
        self._waiting[future] = loop.time(), receive
        if self._timer is None:
            self._timer = loop.call_later(LOOK_SECONDS, self._look)
        try:
            return await future
        except asyncio.CancelledError:
            if future in self._abandoned:
                raise ClientLeft("the client has left before its answer") from None
            raise
        finally:
            del self._waiting[future]
            self._abandoned.discard(future)
            if (watch := self._watches.pop(future, None)) is not None:
                watch.cancel()

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now, self._timer = loop.time(), None
        for future, (since, receive) in self._waiting.items():
            if now - since >= LOOK_SECONDS and future not in self._watches:
                self._watches[future] = loop.create_task(self._watch(future, receive))
        if self._waiting:
            self._timer = loop.call_later(LOOK_SECONDS, self._look)

    async def _watch(self, future: asyncio.Future[Any], receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._abandoned.add(future)
        future.cancel()
