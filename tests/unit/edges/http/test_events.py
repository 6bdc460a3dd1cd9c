"""Server-sent events: who wants them, and how a stream begins, waits and ends."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable
from typing import cast

import orjson
import pytest
from fastapi import Response
from starlette.responses import StreamingResponse

from service.edges.http.events import render_event, stream_events, wants_events
from service.errors import Overloaded, SessionContended


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (["text/event-stream"], True),
        (["application/json, Text/Event-Stream;q=0.9"], True),
        (["application/json", "text/event-stream"], True),
        (["*/*"], False),
        (["application/json"], False),
        ([], False),
    ],
)
def test_events_are_for_those_who_name_them(accept: list[str], wanted: bool) -> None:
    assert wants_events(accept) is wanted


class Events:
    """Events that come when the test says so."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        self.ended = asyncio.Event()

    async def generator(self) -> AsyncGenerator[bytes]:
        try:
            while (event := await self.queue.get()) is not None:
                if isinstance(event, Exception):
                    raise event
                yield event
        finally:
            self.ended.set()


def body_of(response: Response) -> AsyncGenerator[bytes]:
    assert isinstance(response, StreamingResponse)
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-accel-buffering"] == "no"
    body: AsyncIterable[object] = response.body_iterator
    return cast(AsyncGenerator[bytes], body)


async def test_events_are_passed_on_in_order() -> None:
    events = Events()
    for event in (b"1", b"2", None):
        events.queue.put_nowait(event)
    response = await stream_events(events.generator())
    assert [part async for part in body_of(response)] == [b"1", b"2"]


async def test_while_nothing_comes_the_connection_is_kept_alive() -> None:
    events = Events()
    body = body_of(await stream_events(events.generator(), waiting_seconds=0.01))
    assert [await anext(body), await anext(body)] == [b": waiting\n\n"] * 2
    events.queue.put_nowait(b"first")
    while (part := await anext(body)) == b": waiting\n\n":
        pass
    assert part == b"first"
    assert await anext(body) == b": waiting\n\n"
    events.queue.put_nowait(None)
    assert [part async for part in body if part != b": waiting\n\n"] == []


async def test_an_error_before_the_first_event_is_raised() -> None:
    events = Events()
    events.queue.put_nowait(Overloaded("full"))
    with pytest.raises(Overloaded):
        await stream_events(events.generator())


async def test_a_later_error_is_the_last_event() -> None:
    events = Events()
    for event in (render_event("output", b"{}"), SessionContended("a")):
        events.queue.put_nowait(event)
    parts = [part async for part in body_of(await stream_events(events.generator()))]
    assert parts[0] == b"event: output\ndata: {}\n\n"
    name, data, *rest = parts[1].split(b"\n")
    assert (name, rest) == (b"event: error", [b"", b""])
    assert orjson.loads(data.removeprefix(b"data: "))["code"] == "session_contended"
    assert len(parts) == 2


async def test_who_goes_away_ends_what_makes_the_events() -> None:
    events = Events()
    events.queue.put_nowait(b"1")
    body = body_of(await stream_events(events.generator()))
    assert await anext(body) == b"1"
    await body.aclose()
    async with asyncio.timeout(10):
        await events.ended.wait()


async def test_who_goes_away_before_the_first_event_ends_it_too() -> None:
    events = Events()
    asking = asyncio.create_task(stream_events(events.generator()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asking.cancel()
    async with asyncio.timeout(10):
        await events.ended.wait()
