"""Work on whole sequences: one thread, a bounded queue, nothing computed for nobody."""

import asyncio
import threading
from contextlib import aclosing
from functools import partial

import pytest

from service.errors import Overloaded, ShuttingDown
from service.sessions.sequences import Sequences


async def test_work_is_done_in_order_of_arrival() -> None:
    sequences = Sequences(max_waiting=10)
    done: list[int] = []
    work = [partial(done.append, number) for number in range(5)]
    await asyncio.gather(*map(sequences.run, work))
    assert done == list(range(5))
    sequences.close()


async def test_an_error_is_the_callers() -> None:
    sequences = Sequences(max_waiting=10)
    with pytest.raises(ZeroDivisionError):
        await sequences.run(lambda: 1 // 0)
    assert await sequences.run(lambda: 1) == 1
    sequences.close()


async def test_work_whose_caller_is_gone_keeps_its_place_until_it_ends() -> None:
    sequences = Sequences(max_waiting=1)
    gate = threading.Event()
    first = asyncio.create_task(sequences.run(lambda: gate.wait(10)))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await sequences.run(lambda: True)
    gate.set()
    assert await _when_there_is_room(sequences)
    sequences.close()


async def test_closing_drops_what_has_not_begun() -> None:
    sequences = Sequences(max_waiting=10)
    gate, begun = threading.Event(), threading.Event()

    def hold() -> bool:
        begun.set()
        return gate.wait(10)

    running = asyncio.create_task(sequences.run(hold))
    waiting = asyncio.create_task(sequences.run(lambda: True))
    assert await asyncio.to_thread(begun.wait, 10)
    sequences.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gate.set()
    assert await running


async def _when_there_is_room(sequences: Sequences) -> bool:
    async with asyncio.timeout(10):
        while True:
            try:
                return await sequences.run(lambda: True)
            except Overloaded:
                await asyncio.sleep(0.001)


async def test_work_that_has_waited_too_long_is_not_done() -> None:
    sequences = Sequences(max_waiting=10, max_wait_seconds=0.05)
    done: list[int] = []
    release = threading.Event()
    first = asyncio.create_task(sequences.run(lambda: release.wait(10)))
    second = asyncio.create_task(sequences.run(partial(done.append, 2)))
    await asyncio.sleep(0.1)
    release.set()
    assert await first
    with pytest.raises(Overloaded, match=r"waited for 0\.05 s"):
        await second
    assert not done
    sequences.close()


async def taken(sequences: Sequences, name: str, parts: int, order: list[str]) -> None:
    async with aclosing(sequences.take_turns(iter(range(parts)))) as turns:
        async for part in turns:
            order += [f"{name}{part}"]


async def test_long_work_takes_turns() -> None:
    sequences = Sequences(max_waiting=10)
    order: list[str] = []
    hold = threading.Event()
    held = asyncio.create_task(sequences.run(lambda: hold.wait(10)))
    await asyncio.sleep(0)
    long = asyncio.create_task(taken(sequences, "long", 6, order))
    short = asyncio.create_task(taken(sequences, "short", 2, order))
    await asyncio.sleep(0)
    hold.set()
    await asyncio.gather(held, long, short)
    assert order.index("short1") < order.index("long3")
    assert [part for part in order if part.startswith("long")] == [f"long{n}" for n in range(6)]
    sequences.close()


async def test_what_has_begun_is_not_refused_any_more() -> None:
    sequences = Sequences(max_waiting=1)
    parts = sequences.take_turns(iter(range(3)))
    assert await anext(parts) == 0
    gate = threading.Event()
    other = asyncio.create_task(sequences.run(lambda: gate.wait(10)))
    await asyncio.sleep(0)
    second = asyncio.ensure_future(anext(parts))
    with pytest.raises(Overloaded):
        await anext(sequences.take_turns(iter(range(3))))
    gate.set()
    assert await other
    assert await second == 1
    assert [part async for part in parts] == [2]
    sequences.close()


async def test_turns_end_when_the_service_stops() -> None:
    sequences = Sequences(max_waiting=1)
    parts = sequences.take_turns(iter(range(3)))
    assert await anext(parts) == 0
    sequences.close()
    with pytest.raises(ShuttingDown):
        await anext(parts)
