import asyncio
import os
import threading
import time
from collections.abc import Sequence

import pytest

from service.batcher.batcher import Batcher
from service.batcher.wakeups import Mailbox, Pipe

DEADLINE = 10.0
THREADS, LETTERS = 4, 5_000


async def test_nothing_that_threads_put_is_lost_or_passes_another() -> None:
    received: list[tuple[int, int]] = []
    done = asyncio.Event()

    def receive(letter: tuple[int, int]) -> None:
        received.append(letter)
        if len(received) == THREADS * LETTERS:
            done.set()

    mailbox = Mailbox(receive)
    mailbox.attach()

    def send(thread: int) -> None:
        for number in range(LETTERS):
            mailbox.put((thread, number))

    threads = [threading.Thread(target=send, args=(thread,)) for thread in range(THREADS)]
    for thread in threads:
        thread.start()
    async with asyncio.timeout(DEADLINE):
        await done.wait()
    for number in range(THREADS):
        assert [n for thread, n in received if thread == number] == list(range(LETTERS))
    mailbox.close()


async def test_what_lies_there_when_it_closes_is_delivered() -> None:
    received: list[str] = []
    mailbox = Mailbox(received.append)
    mailbox.attach()
    mailbox.put("last")
    mailbox.close()
    mailbox.close()
    assert received == ["last"]


def test_several_rings_are_heard_as_one() -> None:
    pipe = Pipe()
    for _ in range(3):
        pipe.ring()
    pipe.heard()
    os.set_blocking(pipe.read_end, False)
    with pytest.raises(BlockingIOError):
        pipe.heard()
    pipe.close()


def test_both_ends_are_closed_with_the_last_who_has_them() -> None:
    pipe = Pipe()
    end = pipe.read_end
    os.fstat(end)
    del pipe
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(end)


async def test_a_lane_is_rung_once_for_each_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it has done its work and sleeps again before the ring returns."""
    rings = 0
    ring = Pipe.ring

    def counted(pipe: Pipe) -> None:
        nonlocal rings
        ring(pipe)
        if threading.current_thread() is threading.main_thread():
            rings += 1
            assert rings < 100, "it is rung over and over"
            time.sleep(0.01)  # as if the lane had had the core meanwhile

    monkeypatch.setattr(Pipe, "ring", counted)

    def echo(items: Sequence[int]) -> Sequence[int]:
        return items

    batcher: Batcher[int, int] = Batcher(echo, max_batch=8, max_queue=8)
    assert [await batcher.submit("key", number) for number in range(5)] == list(range(5))
    assert 1 <= rings <= 5
    await batcher.close()
