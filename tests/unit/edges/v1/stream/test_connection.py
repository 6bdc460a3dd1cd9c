"""What one socket may have under way, and what waits meanwhile."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pytest
from starlette.types import Message

from service.batcher.waiting import Reply
from service.edges.v1.stream.answers import error_text
from service.edges.v1.stream.blocks import Block
from service.edges.v1.stream.connection import Connection
from service.edges.v1.stream.opened import Opened
from service.edges.v1.stream.pending import PendingSteps
from service.edges.v1.stream.window import MAX_UNANSWERED, Interrupted
from service.errors import Overloaded
from service.operations.inputs import Text
from service.operations.requests import Steps
from service.sessions.receipts import KEPT_RECEIPTS
from service.sessions.sessions import Sessions
from service.stores.store import Identity


class HeldSessions:
    """Steps that are under way until the test fails them."""

    def __init__(self) -> None:
        self.under_way: list[Reply[Any]] = []
        self.room = 10_000

    def send_steps(self, _: Steps, reply: Reply[Any]) -> None:
        if len(self.under_way) >= self.room:
            raise Overloaded("full")
        self.under_way.append(reply)

    def answer_first(self) -> None:
        self.under_way.pop(0).answer((0,), ValueError("answered"))


class Socket:
    """A client that takes one frame at a time, when the test lets it."""

    def __init__(self) -> None:
        self.frames: list[Message] = []
        self.takes = asyncio.Event()
        self.takes.set()

    async def send(self, message: Message) -> None:
        await self.takes.wait()
        self.frames.append(message)


OPENED = Opened(Identity("", "s"), 1, 1, 1)


@dataclass(frozen=True)
class Sent:
    """Steps of one session, and what they count."""

    opened: Opened = OPENED
    numbers: int = 1
    keyed: bool = False

    def pending(self, connection: Connection) -> PendingSteps:
        record = Block(np.zeros((1, 1, 1), np.float32), (1,), (1,), None, False, self.keyed)
        return PendingSteps(connection, (self.opened,), self.numbers, self.keyed, record)


async def _settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


class Rig:
    """A connection whose writer runs, and a sender of steps beside it."""

    def __init__(self, max_numbers: int) -> None:
        self.sessions, self.socket = HeldSessions(), Socket()
        self.connection = Connection(cast(Sessions, self.sessions), self.socket.send, max_numbers)
        self._silence = asyncio.Event()
        self.tasks = [asyncio.create_task(self.connection.run(self._receive, _ignore))]

    async def _receive(self) -> Message:
        await self._silence.wait()
        raise AssertionError("nothing is received")

    async def send(self, sent: Iterable[Sent]) -> int:
        """How many of these steps are under way, once nothing moves any more."""
        before = len(self.sessions.under_way)
        self.tasks.append(asyncio.create_task(self._send(sent)))
        await _settle()
        return len(self.sessions.under_way) - before

    async def _send(self, sent: Iterable[Sent]) -> None:
        with suppress(Interrupted):
            for one in sent:
                pending = one.pending(self.connection)
                await self.connection.send_steps(pending, Steps.of("s", Text("a")))

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def _ignore(_: Message) -> None:
    return


@pytest.mark.parametrize(
    ("numbers", "keyed", "most"),
    [(1, False, MAX_UNANSWERED), (100, False, 20), (5000, False, 1), (1, True, KEPT_RECEIPTS)],
)
async def test_beyond_the_window_steps_wait(numbers: int, *, keyed: bool, most: int) -> None:
    rig, opened = Rig(2000), Opened(Identity("", "s"), 1, 1, 1)
    assert await rig.send([Sent(opened, numbers, keyed)] * (3 * MAX_UNANSWERED)) == most
    rig.socket.takes.clear()
    rig.sessions.answer_first()
    await _settle()
    assert len(rig.sessions.under_way) == most - 1, "an answer that is not sent counts"
    rig.socket.takes.set()
    await _settle()
    assert len(rig.sessions.under_way) == most
    await rig.close()


async def test_keys_of_one_session_hold_no_other_back() -> None:
    rig = Rig(2000)
    first, second = Opened(Identity("", "a"), 1, 1, 1), Opened(Identity("", "b"), 2, 1, 1)
    steps = [Sent(opened, keyed=True) for opened in (first, second) * KEPT_RECEIPTS]
    assert await rig.send(steps) == 2 * KEPT_RECEIPTS
    await rig.close()


async def test_overload_is_answered_only_where_nothing_is_under_way() -> None:
    rig = Rig(2000)
    rig.sessions.room = 2
    assert await rig.send([Sent()] * 3) == 2
    assert not rig.socket.frames
    rig.sessions.answer_first()
    await _settle()
    assert len(rig.sessions.under_way) == 2
    assert len(rig.socket.frames) == 1
    rig.sessions.room = 0
    for _ in range(2):
        rig.sessions.answer_first()
    await _settle()
    assert await rig.send([Sent()]) == 0
    await _settle()
    assert b"overloaded" in rig.socket.frames[-1]["bytes"]
    await rig.close()


async def test_stopping_answers_what_is_under_way_and_drops_what_waits() -> None:
    rig = Rig(2000)
    assert await rig.send([Sent(numbers=1500)] * 2) == 1
    rig.connection.stop()
    await _settle()
    assert not rig.connection.closed.is_set()
    rig.sessions.answer_first()
    await _settle()
    assert [frame["type"] for frame in rig.socket.frames] == ["websocket.send", "websocket.close"]
    assert rig.socket.frames[-1]["code"] == 1012
    assert rig.connection.closed.is_set()
    assert not rig.sessions.under_way
    await rig.close()


async def test_a_client_that_goes_ends_it() -> None:
    rig = Rig(2000)

    async def lost(_: Message) -> None:
        raise OSError("the client has gone")

    rig.connection._send = lost
    await rig.send([Sent()])
    rig.sessions.answer_first()
    await _settle()
    assert rig.connection.closed.is_set()
    with pytest.raises(Interrupted):
        await rig.connection.window.moved()
    await rig.close()


def test_errors_name_what_headers_would() -> None:
    assert '"retry_after":1' in error_text(1, None, Overloaded("full"))
