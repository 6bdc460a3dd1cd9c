"""Threads that do all work on sessions, in groups.

While a group runs, new requests gather in the queue and form the next one: no timer, no waiting
for company. Stores and ONNX Runtime are used from these threads alone, so the event loop is never
held up by either.

A worker is one thread with its own way to the store. One is right for a store on this machine;
where each access to the store is a round trip, several overlap them: one group is read while
another is computed and a third is committed.
"""

import asyncio
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

import structlog

from service.batcher.waiting import NodeOf, Reply, Task, Waiting, waited_too_long
from service.batcher.wakeups import CompletionQueue, Wakeup
from service.errors import MustWait, Overloaded, ShuttingDown
from service.metrics.catalogue import BATCH_SIZE, QUEUE_LENGTH, QUEUE_SECONDS, THREAD_FAILURES

log = structlog.get_logger()

_SLOW_SECONDS = 5e-3
"""A group that takes longer holds the event loop up: a large model, or a busy disk."""
_SLOW_FOR_SECONDS = 1.0

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Result = TypeVar("Result")


def _return(error: Exception) -> Exception:
    return error


@dataclass(frozen=True, slots=True)
class Deferred(Generic[Answer]):
    """In place of an answer: `work` would hold up the worker for too long.

    It runs somewhere else, and is told by its argument whether its caller is still there. What it
    returns is called on the same worker and gives the answer. Tasks of the key wait meanwhile.
    Where there is no room for it, `refused` makes the answer from the error.
    """

    work: "Callable[[Callable[[], bool]], Callable[[], Answer | Exception | Deferred[Answer]]]"
    refused: Callable[[Exception], Answer | Exception] = _return


def _never(*_: object) -> bool:
    return False


class Part(NamedTuple, Generic[Item]):
    """Rows of an item that are in a group, in increasing order; `cancelled` says whether their
    caller has gone."""

    item: Item
    rows: Sequence[int]
    cancelled: Callable[[], bool] = _never


Executor = Callable[[Callable[[], None]], None]
"""Has a function run on some other thread, soon and certainly; raises what refuses it."""


def _no_executor(_: Callable[[], None]) -> None:
    raise RuntimeError("there is no executor for deferred work")


class Batcher(Generic[Item, Answer]):
    """Runs items in groups, and single calls in between.

    An item has one row or many, each with its key. Rows and calls with the same key run in order
    of arrival and never in one group; rows of one item may be in several groups.
    """

    def __init__(
        self,
        *runs: Callable[[Sequence[Part[Item]]], Sequence[Answer | Exception | Deferred[Answer]]],
        max_batch: int,
        max_queue: int,
        max_wait_seconds: float = math.inf,
        executor: Executor = _no_executor,
        is_quick: Callable[[Item], bool] = _never,
        node_of: NodeOf | None = None,
    ) -> None:
        """Each of `runs` is a worker and answers the parts of a group, one group at a time.

        An exception in a part's place concerns that part only. Calls run on the first worker.
        What has waited for longer than `max_wait_seconds` is refused: whoever sent it may have
        given up long ago and done something else. Deferred work runs on `executor`.

        Where the only worker sleeps, a group whose items are all `is_quick` runs on the event loop:
        waking the worker, and being woken by it, costs a third of the throughput. Work that raises
        MustWait there, and all that comes after a slow group for a while, is the worker's.
        `node_of` is the queue's.
        """
        self._runs = runs
        self._max_queue = max_queue
        self._max_wait_seconds = max_wait_seconds
        self._executor = executor
        self._is_quick = is_quick if len(runs) == 1 else _never
        self._is_lent = False
        """Whether the event loop does the work of the only worker, which sleeps."""
        self._slow_until = -math.inf
        self._arriving: list[Task] = []
        self._arriving_rows = 0
        self._completed = CompletionQueue(_resolve)
        self._lock = threading.Lock()
        self._waking = threading.Lock()
        self._waiting = Waiting(max_batch, self._refuse, len(runs), node_of)
        self._closing = False
        self._idle: set[int] = set()
        self._wakeups = [Wakeup() for _ in runs]  # where idle workers sleep
        self.threads = [
            threading.Thread(target=self._work, args=(worker,), name="batcher", daemon=True)
            for worker in range(len(runs))
        ]
        for thread in self.threads:
            thread.start()

    def submit(self, key: object, item: Item) -> asyncio.Future[Answer]:
        """The answer to an item of one row. Raises Overloaded, ShuttingDown."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.enqueue((key,), _OfFuture(future), item=item)
        return future

    async def call(self, key: object, function: Callable[[], Result]) -> Result:
        """What `function` returns, run on the first worker after all earlier tasks of `key`."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self.enqueue((key,), _OfFuture(future), call=function, worker=0)
        return await future

    async def close(self) -> None:
        """Refuse new work, finish what is waiting, end the threads."""
        self._closing = True
        self._hand_over()
        for thread in self.threads:
            await asyncio.to_thread(thread.join)
        self._completed.close()
        # Whoever resumes the last task may still be waking workers, which have all ended.
        with self._waking:
            self._idle.clear()
            for wakeup in self._wakeups:
                wakeup.close()

    def enqueue(
        self,
        keys: Sequence[object],
        reply: Reply[Any],
        *,
        item: Item | None = None,
        call: Callable[[], object] | None = None,
        worker: int | None = None,
    ) -> None:
        """As `submit` or `call`, for an item of many rows, or without a future."""
        if self._closing:
            raise ShuttingDown("the service is stopping; nothing was applied")
        if self._arriving_rows + len(self._waiting) + len(keys) > self._max_queue:
            raise Overloaded(f"{self._max_queue} requests are waiting; nothing was applied")
        if not self._arriving:
            # All that this turn of the event loop brings wakes a worker once, as one group.
            self._completed.attach()
            asyncio.get_running_loop().call_soon(self._hand_over)
        expires_at = time.monotonic() + self._max_wait_seconds
        rows = range(len(keys))
        self._arriving.append(Task(keys, reply, expires_at, item, call, worker, rows=rows))
        self._arriving_rows += len(keys)

    def _hand_over(self) -> None:
        arrived, self._arriving, self._arriving_rows = self._arriving, [], 0
        is_quick = not self._closing and all(
            task.call is None and self._is_quick(task.item) for task in arrived
        )
        group: list[Task] = []
        with self._lock:
            is_first = not len(self._waiting)
            self._waiting.add(arrived)
            QUEUE_LENGTH.set(len(self._waiting))
            if is_quick and is_first and self._idle and time.monotonic() > self._slow_until:
                self._is_lent = True
                self._idle.clear()
                group = self._waiting.take(0)
        if self._is_lent:
            self._run_here(group)
        else:
            self._wake_workers()

    def _run_here(self, group: list[Task]) -> None:
        """In place of the only worker, which does what is left."""
        # What it has answered before comes first.
        self._completed.deliver()
        began = time.monotonic()
        must_wait = False
        try:
            if group:
                self._run_safely(0, group)
        except MustWait:
            must_wait = True
            with self._lock:
                self._waiting.put_back(group)
        now = time.monotonic()
        if must_wait or now - began > _SLOW_SECONDS:
            self._slow_until = now + _SLOW_FOR_SECONDS
        with self._lock:
            self._is_lent = False
            if not len(self._waiting):
                self._idle.add(0)
                return
        self._wakeups[0].wake()

    def _resume(self, task: Task) -> None:
        with self._lock:
            self._waiting.resume(task)
        self._wake_workers()

    def _wake_workers(self) -> None:
        """Wake the workers that sleep; not under the lock, which they would wait for."""
        with self._waking:
            with self._lock:
                sleeping = tuple(self._idle)
                self._idle.clear()
            for worker in sleeping:
                self._wakeups[worker].wake()

    def _work(self, worker: int) -> None:
        while group := self._next_group(worker):
            self._run_safely(worker, group)

    def _run_safely(self, worker: int, group: list[Task]) -> None:
        try:
            self._run_group(worker, group)
        except MustWait:
            raise
        except Exception as error:  # a mistake of ours, of which whoever waits must hear
            THREAD_FAILURES.labels("batcher").inc()
            log.exception("batcher_failed")
            left = [task for task in group if not task.settled]
            self._release(left)
            self._answer(left, [error] * len(left))

    def _run_group(self, worker: int, group: list[Task]) -> None:
        taken_at = time.monotonic()
        items = [task for task in group if task.call is None]
        if items:
            self._conclude(worker, items, self._run_items(worker, items))
        for task in group:
            if task.call is None:
                continue
            # A slow store may have taken all the time that this one had.
            if self._waiting.is_wanted(task):
                self._conclude(worker, [task], [_outcome(task.call)])
            else:
                self._release([task])
        # When all have their answers: nobody waits for what is counted.
        self._count(group[0], sum(len(task.keys) for task in items), taken_at)

    def _count(self, first: Task, rows: int, taken_at: float) -> None:
        if rows:
            BATCH_SIZE.observe(rows)
        waited = taken_at - (first.expires_at - self._max_wait_seconds)
        if waited >= 0:  # a task that never expires does not say when it came
            QUEUE_SECONDS.observe(waited)

    def _next_group(self, worker: int) -> list[Task]:
        """Waits for one; empty when it is over."""
        while True:
            with self._lock:
                group = self._waiting.take(worker)
                QUEUE_LENGTH.set(len(self._waiting))
                others = self._waiting.has_freed and len(self._waiting) and len(self._runs) > 1
                over = self._closing and self._waiting.over and not self._arriving
                if not (group or over):
                    self._idle.add(worker)
            if over or others:
                self._wake_workers()  # the others may have looked a moment too early
            if group or over:
                return group
            self._wakeups[worker].wait()

    def _run_items(self, worker: int, tasks: list[Task]) -> Sequence[object]:
        try:
            parts = [Part(task.item, task.rows, task.reply.cancelled) for task in tasks]
            answers = self._runs[worker](parts)
        except MustWait:
            raise
        except Exception as error:  # a failed commit, say, concerns the whole group
            return [error] * len(tasks)
        if len(answers) != len(tasks):
            return [RuntimeError(f"{len(answers)} answers to {len(tasks)} items")] * len(tasks)
        return answers

    def _conclude(self, worker: int, tasks: Sequence[Task], outcomes: Sequence[object]) -> None:
        """Answer the tasks that are done, and defer the others."""
        if any(isinstance(outcome, Deferred) for outcome in outcomes):
            pairs = list(zip(tasks, outcomes, strict=True))
            for task, outcome in pairs:
                if isinstance(outcome, Deferred):
                    self._defer(worker, task, outcome)
            pairs = [pair for pair in pairs if not isinstance(pair[1], Deferred)]
            tasks, outcomes = [task for task, _ in pairs], [outcome for _, outcome in pairs]
        self._release(tasks)
        self._answer(tasks, outcomes)

    def _defer(self, worker: int, task: Task, deferred: Deferred[Answer]) -> None:
        def work() -> None:
            try:
                finish = deferred.work(lambda: not task.reply.cancelled())
            except Exception as error:  # raised on the worker, as if it had happened there
                finish = partial(_return, error)
            resumed = replace(task, expires_at=math.inf, item=None, call=finish, settled=False)
            resumed.worker, resumed.resumes = worker, True
            self._resume(resumed)

        task.settled = True
        try:
            self._executor(work)
        except Exception as error:  # too much is deferred already: for this caller alone
            self._release([task])
            self._answer([task], [deferred.refused(error)])

    def _release(self, tasks: Sequence[Task]) -> None:
        with self._lock:
            self._waiting.release(tasks)
        # Others wait for these keys, or for the end; a worker that runs will see them anyway.
        if len(self._waiting) or self._closing:
            self._wake_workers()

    def _answer(self, tasks: Sequence[Task], outcomes: Sequence[object]) -> None:
        for task in tasks:
            task.settled = True
        if self._is_lent:
            _resolve((tasks, outcomes))
        elif tasks:
            self._completed.put((tasks, outcomes))

    def _refuse(self, task: Task) -> None:
        self._answer([task], [waited_too_long(self._max_wait_seconds)])


def _outcome(call: Callable[[], object]) -> object:
    try:
        return call()
    except Exception as error:  # handed to the caller, who awaits it
        return error


class _OfFuture:
    """Answers a future with what comes of a single row."""

    __slots__ = ("_future", "cancelled")

    def __init__(self, future: asyncio.Future[Any]) -> None:
        self._future = future
        self.cancelled = future.cancelled

    def answer(self, _: Sequence[int], outcome: object) -> None:
        if isinstance(outcome, Exception):
            self._future.set_exception(outcome)
        else:
            self._future.set_result(outcome)


def _resolve(answered: tuple[Sequence[Task], Sequence[object]]) -> None:
    """Back on the event loop: hand every outcome to whoever waits for it."""
    group, outcomes = answered
    for task, outcome in zip(group, outcomes, strict=True):
        if not task.reply.cancelled():
            task.reply.answer(task.rows, outcome)
