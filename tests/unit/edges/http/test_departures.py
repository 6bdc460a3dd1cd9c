"""Requests whose client leaves before their answer."""

import asyncio

import pytest
from starlette.types import Message

from service.edges.http.departures import ClientLeft, Departures


class Client:
    """Has sent its request, and perhaps leaves."""

    def __init__(self) -> None:
        self.leaves = asyncio.Event()
        self.asked = 0

    async def receive(self) -> Message:
        self.asked += 1
        await self.leaves.wait()
        return {"type": "http.disconnect"}


async def test_what_waits_for_a_client_that_left_is_cancelled() -> None:
    departures, client = Departures(), Client()
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    client.leaves.set()
    with pytest.raises(ClientLeft):
        async with asyncio.timeout(5):
            await departures.wait(future, client.receive)
    assert future.cancelled()


async def test_all_parts_of_a_request_are_cancelled() -> None:
    departures, client = Departures(), Client()
    parts = [asyncio.get_running_loop().create_future() for _ in range(3)]
    parts[0].set_result(1)
    client.leaves.set()
    with pytest.raises(ClientLeft):
        async with asyncio.timeout(5):
            await departures.wait(asyncio.gather(*parts, return_exceptions=True), client.receive)
    assert [part.cancelled() for part in parts] == [False, True, True]


async def test_a_client_that_stays_gets_its_answer() -> None:
    departures, client = Departures(), Client()
    loop = asyncio.get_running_loop()
    quick: asyncio.Future[int] = loop.create_future()
    loop.call_soon(quick.set_result, 1)
    assert await departures.wait(quick, client.receive) == 1
    assert client.asked == 0, "nobody looks after a request that is answered at once"
    slow: asyncio.Future[int] = loop.create_future()
    loop.call_later(0.35, slow.set_result, 2)
    assert await departures.wait(slow, client.receive) == 2
    assert client.asked == 1
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == 1, "nobody watches any more"


async def test_a_request_that_is_cancelled_otherwise_is_not_said_to_have_left() -> None:
    departures, client = Departures(), Client()
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(departures.wait(future, client.receive))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
