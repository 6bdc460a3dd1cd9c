"""One thread that does all work on sessions, in groups.

While a group runs, new requests gather in the queue and form the next one: no timer, no waiting
for company. Stores and ONNX Runtime are used from this thread alone, so the event loop is never
held up by either.
"""

import asyncio
import math
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from service.errors import Overloaded, ShuttingDown

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Result = TypeVar("Result")


@dataclass(slots=True, eq=False)
class _Task:
    """A request in the queue: an item for the group's run, or a call of its own."""

    key: object
    future: asyncio.Future[Any]
    expires_at: float
    item: Any = None
    call: Callable[[], object] | None = None


class Batcher(Generic[Item, Answer]):
    """Runs items in groups, and single calls in between, on one thread.

    Tasks with the same key run in order of arrival and never in one group.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Item]], Sequence[Answer | Exception]],
        *,
        max_batch: int,
        max_queue: int,
        max_wait_seconds: float = math.inf,
    ) -> None:
        """`run` answers a group; an exception in an item's place is raised to its caller only.

        What has waited for longer than `max_wait_seconds` is refused: whoever sent it may have
        given up long ago and done something else.
        """
        self._run = run
        self._max_batch = max_batch
        self._max_queue = max_queue
        self._max_wait_seconds = max_wait_seconds
        self._arrivals: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._waiting: deque[_Task] = deque()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="batcher", daemon=True)
        self._thread.start()

    def submit(self, key: object, item: Item) -> asyncio.Future[Answer]:
        """The answer to one item of a group. Raises Overloaded, ShuttingDown."""
        return self._enqueue(key, item=item)

    async def call(self, key: object, function: Callable[[], Result]) -> Result:
        """What `function` returns, run on the batcher's thread after all earlier tasks of `key`."""
        return cast(Result, await self._enqueue(key, call=function))

    async def close(self) -> None:
        """Refuse new work, finish what is waiting, end the thread."""
        if not self._closing:
            self._closing = True
            self._arrivals.put(None)
        await asyncio.to_thread(self._thread.join)

    def _enqueue(
        self,
        key: object,
        *,
        item: Item | None = None,
        call: Callable[[], object] | None = None,
    ) -> asyncio.Future[Any]:
        if self._closing:
            raise ShuttingDown("the service is stopping; nothing was applied")
        if self._arrivals.qsize() + len(self._waiting) >= self._max_queue:
            raise Overloaded(f"{self._max_queue} requests are waiting; nothing was applied")
        future = asyncio.get_running_loop().create_future()
        expires_at = time.monotonic() + self._max_wait_seconds
        self._arrivals.put(_Task(key, future, expires_at, item, call))
        return future

    def _work(self) -> None:
        while self._gather():
            group = self._next_group()
            items = [task for task in group if task.call is None]
            if items:
                _answer(items, self._run_items(items))
            for task in group:
                # A slow store may have taken all the time that this one had.
                if task.call is not None and self._is_wanted(task):
                    _answer([task], [_outcome(task.call)])

    def _gather(self) -> bool:
        """Take everything that has arrived; wait when nothing has. False when it is over."""
        open_ended = not self._waiting
        while True:
            try:
                task = self._arrivals.get(block=open_ended)
            except queue.Empty:
                return True
            if task is None:
                # The sentinel is put last: once nothing waits, nothing follows.
                if not self._waiting:
                    return False
                self._arrivals.put(None)
                return True
            self._waiting.append(task)
            open_ended = False

    def _next_group(self) -> list[_Task]:
        """The longest group without two tasks of one key, in order of arrival."""
        group: dict[object, _Task] = {}
        later: deque[_Task] = deque()
        while self._waiting and len(group) < self._max_batch:
            task = self._waiting.popleft()
            if task.key in group:
                later.append(task)
            elif self._is_wanted(task):
                group[task.key] = task
        later.extend(self._waiting)
        self._waiting = later
        return list(group.values())

    def _is_wanted(self, task: _Task) -> bool:
        """False for one whose caller has gone, or waits for too long, which is refused."""
        if task.future.cancelled():
            return False
        if task.expires_at < time.monotonic():
            _answer([task], [waited_too_long(self._max_wait_seconds)])
            return False
        return True

    def _run_items(self, tasks: list[_Task]) -> Sequence[object]:
        try:
            answers = self._run([task.item for task in tasks])
        except Exception as error:  # a failed commit, say, concerns the whole group
            return [error] * len(tasks)
        if len(answers) != len(tasks):
            return [RuntimeError(f"{len(answers)} answers to {len(tasks)} items")] * len(tasks)
        return answers


def waited_too_long(seconds: float) -> Overloaded:
    return Overloaded(f"the request has waited for {seconds:g} s; nothing was applied")


def _outcome(call: Callable[[], object]) -> object:
    try:
        return call()
    except Exception as error:  # handed to the caller, who awaits it
        return error


def _answer(tasks: Sequence[_Task], outcomes: Sequence[object]) -> None:
    tasks[0].future.get_loop().call_soon_threadsafe(_resolve, tasks, outcomes)


def _resolve(group: Sequence[_Task], outcomes: Sequence[object]) -> None:
    """Back on the event loop: hand every outcome to whoever waits for it."""
    for task, outcome in zip(group, outcomes, strict=True):
        if task.future.cancelled():
            continue
        if isinstance(outcome, Exception):
            task.future.set_exception(outcome)
        else:
            task.future.set_result(outcome)
