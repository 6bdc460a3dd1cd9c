"""Whole sequences and rollouts: what takes longer than a step to compute."""

import asyncio
import math
import os
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar, cast

from service.batcher.waiting import waited_too_long
from service.errors import Overloaded, ShuttingDown

Item = TypeVar("Item")
Result = TypeVar("Result")
_END = object()

PRIORITY = 15
"""Of the thread, as `nice` counts: a thirtieth of a busy core is left to long work."""

SLICE_SECONDS = 0.01
"""Long against the way to the thread and back, short for somebody who waits for a turn."""


class Sequences:
    """A thread of its own for long computations, so that steps of sessions do not wait for them."""

    def __init__(self, max_waiting: int, max_wait_seconds: float = math.inf) -> None:
        self._max_waiting = max_waiting
        self._max_wait_seconds = max_wait_seconds
        self._waiting = 0
        self._lock = threading.Lock()
        self._executor = ThreadPoolExecutor(
            max_workers=1, thread_name_prefix="sequences", initializer=_step_back
        )

    async def run(self, work: Callable[[], Result]) -> Result:
        """What `work` returns, after all work that came earlier. Raises Overloaded."""
        self._check_room()
        return await self._submit(partial(self._in_time, work, time.monotonic()))

    async def take_turns(self, parts: Iterator[Result]) -> AsyncGenerator[Result]:
        """The parts of a long computation, one at a time: other work has its turn in between.

        What has begun is not refused any more. Raises Overloaded before the first part.
        """
        self._check_room()
        begin = partial(self._in_time, partial(next, parts, _END), time.monotonic())
        part = await self._submit(begin)
        while part is not _END:
            yield cast(Result, part)
            part = await self._submit(partial(next, parts, _END))

    def start(self, work: Callable[[], None]) -> None:
        """Have this done after all work that came earlier. Raises Overloaded, ShuttingDown.

        From any thread, and for work that looks itself whether it is still wanted.
        """
        self._check_room()
        self._begin(work)

    def _check_room(self) -> None:
        if self._waiting >= self._max_waiting:
            raise Overloaded(f"{self._waiting} requests for sequences are waiting already")

    async def _submit(self, work: Callable[[], Result]) -> Result:
        return await asyncio.wrap_future(self._begin(work))

    def _begin(self, work: Callable[[], Result]) -> Future[Result]:
        try:
            running = self._executor.submit(work)
        except RuntimeError:
            raise ShuttingDown("the service is stopping; nothing was applied") from None
        with self._lock:
            self._waiting += 1
        # A caller may go away while its work runs: the place is free when the work is over.
        running.add_done_callback(self._leave)
        return running

    def close(self) -> None:
        """Drop what has not begun; what runs ends by itself, for nobody."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _in_time(self, work: Callable[[], Result], arrived_at: float) -> Result:
        if time.monotonic() - arrived_at > self._max_wait_seconds:
            raise waited_too_long(self._max_wait_seconds)
        return work()

    def _leave(self, _: Future[Any]) -> None:
        with self._lock:
            self._waiting -= 1


def slices(
    items: Iterator[Item],
    *,
    first_seconds: float = SLICE_SECONDS,
    seconds: float = SLICE_SECONDS,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[list[Item]]:
    """Items in lists: each what comes within a slice of time, at least one.

    The first slice may be shorter: somebody may be waiting for the very first item.
    """
    taken, end = [], clock() + first_seconds
    for item in items:
        taken.append(item)
        if clock() >= end:
            yield taken
            taken, end = [], clock() + seconds
    if taken:
        yield taken


def _step_back() -> None:
    """Let the other threads of this process go first: a step is short, this work is long."""
    if sys.platform == "linux":  # elsewhere the priority is that of the whole process
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), PRIORITY)
