import asyncio
import os
import threading
import time
from collections.abc import Sequence

import pytest

from service.batcher.batcher import Batcher, Part
from service.batcher.wakeups import CompletionQueue, Wakeup

DEADLINE = 10.0
THREADS, LETTERS = 4, 5_000


async def test_nothing_that_threads_put_is_lost_or_passes_another() -> None:
    received: list[tuple[int, int]] = []
    done = asyncio.Event()

    def receive(completion: tuple[int, int]) -> None:
        received.append(completion)
        if len(received) == THREADS * LETTERS:
            done.set()

    mailbox = CompletionQueue(receive)
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
    mailbox = CompletionQueue(received.append)
    mailbox.attach()
    mailbox.put("last")
    mailbox.close()
    mailbox.close()
    assert received == ["last"]


def test_several_rings_are_heard_as_one() -> None:
    pipe = Wakeup()
    for _ in range(3):
        pipe.wake()
    pipe.wait()
    os.set_blocking(pipe.read_end, False)
    with pytest.raises(BlockingIOError):
        pipe.wait()
    pipe.close()


def test_both_ends_are_closed_with_the_last_who_has_them() -> None:
    pipe = Wakeup()
    end = pipe.read_end
    os.fstat(end)
    del pipe
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(end)


async def test_a_worker_is_woken_once_for_each_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it has done its work and sleeps again before the ring returns."""
    wakes = 0
    ring = Wakeup.wake

    def counted(pipe: Wakeup) -> None:
        nonlocal wakes
        ring(pipe)
        if threading.current_thread() is threading.main_thread():
            wakes += 1
            assert wakes < 100, "it is woken over and over"
            time.sleep(0.01)  # as if the worker had had the core meanwhile

    monkeypatch.setattr(Wakeup, "wake", counted)

    def echo(parts: Sequence[Part[int]]) -> Sequence[int]:
        return [part.item for part in parts]

    batcher: Batcher[int, int] = Batcher(echo, max_batch=8, max_queue=8)
    assert [await batcher.submit("key", number) for number in range(5)] == list(range(5))
    assert 1 <= wakes <= 5
    await batcher.close()
