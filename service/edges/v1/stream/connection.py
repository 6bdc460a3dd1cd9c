"""One socket: reads requests in order, enqueues them at once, sends answers as they come."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import structlog
from starlette.types import Message, Receive, Send

from service.edges.v1.stream.answers import render
from service.edges.v1.stream.pending import Done, Finished, Frame, PendingSteps
from service.edges.v1.stream.window import Interrupted, Window, needs_receipts
from service.errors import Overloaded
from service.operations.requests import Steps
from service.sessions.answers import Answered
from service.sessions.sessions import Sessions

SERVICE_RESTART = 1012
INTERNAL_ERROR = 1011

_MANY_NUMBERS = 250_000
"""Rendering more at once would hold up everybody else on the event loop."""
_MANY_STEPS = 64
"""Likewise of messages as JSON."""

OnMessage = Callable[[Message], Awaitable[None]]

log = structlog.get_logger()


class Connection:
    """What one socket has under way, and the answers that wait to be sent.

    Requests are enqueued in the order in which they came, and what belongs to one session is
    answered in that order. What is enqueued is applied, whether the client stays or goes.
    """

    def __init__(self, sessions: Sessions, send: Send, max_numbers: int) -> None:
        self.sessions = sessions
        self.window = Window(max_numbers)
        self.closed = asyncio.Event()
        """Set when nothing more will be sent."""
        self._send = send
        self._finished: list[Finished] = []
        self._wake = asyncio.Event()
        self._computing = 0
        self._stopping = False

    async def send_steps(self, pending: PendingSteps, block: Steps) -> None:
        """Enqueue steps as soon as there is room. Raises Interrupted."""
        while not self.try_steps(pending, block):
            await self.window.moved()

    def try_steps(self, pending: PendingSteps, block: Steps) -> bool:
        """Enqueue steps, or answer why that cannot be; False where there is no room for now."""
        numbers = len(block) * pending.numbers
        if not self.window.is_open(len(block), numbers) or needs_receipts(pending):
            return False
        try:
            self.sessions.send_steps(block, pending)
        except Overloaded as error:
            # Refusing one of several steps of a session would let later ones pass it.
            if self._computing:
                return False
            self._fail(pending, block, error)
        except Exception as error:  # answered, as every error is
            self._fail(pending, block, error)
        else:
            self._take(pending, block)
        return True

    def _take(self, pending: PendingSteps, block: Steps) -> None:
        self.window.take(len(block), len(block) * pending.numbers)
        self._computing += len(block)
        if pending.keyed:
            for opened in pending.opened:
                opened.keyed += 1

    def _fail(self, pending: PendingSteps, block: Steps, error: Exception) -> None:
        """Answer steps that are not enqueued."""
        self._take(pending, block)
        pending.answer(range(len(block)), error)

    async def begin(self) -> None:
        """Wait for room for a request that is no step. Raises Interrupted."""
        while not self.window.is_open(1, 0):
            await self.window.moved()
        self.window.take(1, 0)

    def answer(self, frame: str | bytes) -> None:
        """Answer what `begin` has counted."""
        self._put(Frame(frame))

    def stop(self) -> None:
        """Take nothing more, answer what is under way, say goodbye."""
        self._stopping = True
        self.window.interrupt()
        self._wake.set()

    async def run(self, receive: Receive, on_message: OnMessage) -> None:
        """Until the client goes, or the service does."""
        writer = asyncio.create_task(self._write())
        try:
            while (message := await receive())["type"] == "websocket.receive":
                if not self.window.interrupted:
                    with suppress(Interrupted):
                        await on_message(message)
        finally:
            self.window.interrupt()
            self.closed.set()
            writer.cancel()

    def on_steps(self, done: Done) -> None:
        """Steps that were enqueued are done."""
        self._computing -= len(done.rows)
        self._put(done)

    def _put(self, finished: Finished) -> None:
        if not self._finished:
            self._wake.set()
            self.window.move()
        self._finished.append(finished)

    async def _write(self) -> None:
        try:
            while not (self._stopping and self.window.empty):
                await self._wake.wait()
                self._wake.clear()
                finished, self._finished = self._finished, []
                for frame in await _rendered(finished):
                    kind = "text" if isinstance(frame, str) else "bytes"
                    await self._send({"type": "websocket.send", kind: frame})
                self._release(finished)
            await self._send({"type": "websocket.close", "code": SERVICE_RESTART})
        except OSError:  # the client has gone; what it sent is applied all the same
            log.debug("stream_lost")
        except Exception:
            log.exception("stream_failed")
            with suppress(Exception):
                await self._send({"type": "websocket.close", "code": INTERNAL_ERROR})
        finally:
            self.window.interrupt()
            self.closed.set()

    def _release(self, finished: Sequence[Finished]) -> None:
        requests = numbers = 0
        for one in finished:
            if isinstance(one, Frame):
                requests += 1
                continue
            requests += len(one.rows)
            numbers += one.numbers
            if one.steps.keyed:
                for row in one.rows:
                    one.steps.opened[row].keyed -= 1
        self.window.give_back(requests, numbers)


async def _rendered(finished: Sequence[Finished]) -> list[str | bytes]:
    """Long answers are rendered aside; the next ones wait, so that all stay in order."""
    numbers = steps = 0
    for one in finished:
        if isinstance(one, Done):
            numbers += one.numbers
            if one.steps.message is not None and isinstance(one.outcome, Answered):
                steps = max(steps, *(answers.time for answers in one.outcome.answers), 0)
    if numbers > _MANY_NUMBERS or steps > _MANY_STEPS:
        return await asyncio.to_thread(render, finished)
    return render(finished)
