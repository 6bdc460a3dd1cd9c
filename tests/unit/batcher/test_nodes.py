"""A store of several nodes, one of which is silent: it holds up its own rows alone."""

import asyncio
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

import pytest

from service.batcher.batcher import Batcher, Part
from service.batcher.waiting import Task, Waiting
from tests.unit.batcher.test_worker_threads import DEADLINE, Worker, one_of
from tests.waiting import wait_until


def node_of(key: object) -> str | None:
    """Keys are named after their nodes."""
    return key[0] if isinstance(key, str) else None


def on_nodes(*workers: Worker) -> Batcher[object, object]:
    return Batcher(*workers, max_batch=10, max_queue=100, node_of=node_of)


async def test_a_group_is_of_one_node_in_order_of_arrival() -> None:
    worker = Worker("a")
    batcher = on_nodes(worker)
    worker.allowed.release(10)
    keys = ["x1", "y1", "x2", "z1", "y2", "x1", "y3"]
    answers = [batcher.submit(key, f"{key}, {n}") for n, key in enumerate(keys)]
    await asyncio.wait_for(asyncio.gather(*answers), DEADLINE)
    assert worker.groups == [
        ["x1, 0", "x2, 2"],
        ["y1, 1", "y2, 4", "y3, 6"],
        ["z1, 3"],
        ["x1, 5"],
    ]
    await batcher.close()


class _Rows:
    """Collects what comes of the rows of one item."""

    def __init__(self, count: int) -> None:
        self.outcomes: list[object] = [None] * count
        self.done = asyncio.Event()

    def cancelled(self) -> bool:
        return False

    def answer(self, rows: Sequence[int], outcome: object) -> None:
        for row in rows:
            self.outcomes[row] = outcome
        if None not in self.outcomes:
            self.done.set()


async def test_rows_of_an_item_go_with_those_of_their_node() -> None:
    groups: list[list[int]] = []

    def run(parts: Sequence[Part[object]]) -> Sequence[object]:
        groups.append([row for part in parts for row in part.rows])
        return ["done"] * len(parts)

    batcher: Batcher[object, object] = Batcher(run, max_batch=10, max_queue=100, node_of=node_of)
    rows = _Rows(6)
    batcher.enqueue(["x1", "y1", "x2", "y2", "x1", "z1"], rows, item="block")
    await asyncio.wait_for(rows.done.wait(), DEADLINE)
    assert groups == [[0, 2], [4], [1, 3], [5]]
    await batcher.close()


async def test_one_worker_stays_free_of_a_node_that_all_others_wait_for() -> None:
    workers = [Worker(name) for name in "abc"]
    batcher = on_nodes(*workers)
    batcher.submit("x1", "x1")
    busy = [await one_of(*workers)]
    batcher.submit("x2", "x2")
    busy.append(await one_of(*workers))
    (free,) = [worker for worker in workers if worker not in busy]
    free.allowed.release(10)
    waiting = batcher.submit("x3", "x3")
    for number in range(3):
        answer = batcher.submit(f"y{number}", f"y{number}")
        assert await asyncio.wait_for(answer, DEADLINE) == free.name
    assert not waiting.done()
    assert free.groups == [["y0"], ["y1"], ["y2"]]
    # The node answers again.
    for worker in busy:
        worker.allowed.release(10)
    assert await asyncio.wait_for(waiting, DEADLINE)
    await batcher.close()


async def test_a_call_is_made_though_all_others_wait_for_its_node() -> None:
    """It has no other worker."""
    workers = [Worker(name) for name in "abc"]
    batcher = on_nodes(*workers)
    begun = threading.Event()

    def until_the_others_are_at_work() -> bool:
        begun.set()
        return all(worker.started.acquire(timeout=DEADLINE) for worker in workers[1:])

    held = asyncio.ensure_future(batcher.call("y1", until_the_others_are_at_work))
    assert await asyncio.to_thread(begun.wait, DEADLINE)
    batcher.submit("x1", "x1")
    await asyncio.to_thread(_until, lambda: sum(len(worker.groups) for worker in workers) == 1)
    batcher.submit("x2", "x2")
    assert await asyncio.wait_for(held, DEADLINE)
    assert await asyncio.wait_for(batcher.call("x3", lambda: "called"), DEADLINE) == "called"
    for worker in workers:
        worker.allowed.release(10)
    await batcher.close()


def _until(holds: Callable[[], bool]) -> None:
    wait_until(holds, lambda: "it has not come to that", DEADLINE)


class _Caller:
    """Who may go at any time."""

    def __init__(self) -> None:
        self.has_gone = False

    def cancelled(self) -> bool:
        return self.has_gone

    def answer(self, rows: Sequence[int], outcome: object, /) -> None:
        """Nobody asks what came of it."""


class _Workers:
    """Workers of a queue, whose moves a test draws: what they hold, and who sleeps."""

    def __init__(self, random: Random, workers: int) -> None:
        self.random = random
        self.workers = range(workers)
        self.waiting = Waiting(random.choice([1, 3, 10]), lambda _: None, workers, node_of)
        self.callers: list[_Caller] = []
        self.at_work: dict[int, list[Task]] = {}
        self.deferred: list[Task] = []
        self.asleep: set[int] = set()
        self.rows = 0
        self.latest: dict[object, int] = {}
        """By key, the row that was taken last; rows are counted as they arrive."""

    def arrive(self) -> None:
        keys = [
            self.random.choice("xyz") + str(self.random.randrange(4))
            for _ in range(self.random.choice([1, 1, 2, 5]))
        ]
        caller = _Caller()
        self.callers.append(caller)
        rows = range(self.rows, self.rows + len(keys))
        self.rows += len(keys)
        if self.random.random() < 0.2:
            task = Task(keys[:1], caller, math.inf, call=lambda: None, worker=0, rows=rows[:1])
        else:
            task = Task(keys, caller, math.inf, item="block", rows=rows)
        self.waiting.add([task])
        self.asleep.clear()

    def leave(self) -> None:
        if self.callers:
            self.random.choice(self.callers).has_gone = True
            self.asleep.clear()

    def finish(self) -> None:
        """A group; some of its tasks are deferred."""
        if not self.at_work:
            return
        worker = self.random.choice(list(self.at_work))
        done = list[Task]()
        for task in self.at_work.pop(worker):
            if task.call is None and self.random.random() < 0.3:
                resumed = replace(task, item=None, call=lambda: None, worker=worker, resumes=True)
                self.deferred.append(resumed)
            else:
                done.append(task)
        self.waiting.release(done)
        if len(self.waiting):
            self.asleep.clear()

    def put_back(self) -> None:
        """A group that has not begun."""
        for worker, group in list(self.at_work.items()):
            if not any(task.resumes for task in group):
                del self.at_work[worker]
                self.waiting.put_back(group)
                for task in group:
                    for key in task.keys:
                        del self.latest[key]
                self.asleep.clear()

    def resume(self) -> None:
        if self.deferred:
            chosen = self.random.randrange(len(self.deferred))
            self.waiting.resume(self.deferred.pop(chosen))
            self.asleep.clear()

    def look(self) -> None:
        """Those that are awake look for work."""
        for worker in self.random.sample(self.workers, len(self.workers)):
            if worker in self.at_work or worker in self.asleep:
                continue
            if group := self.waiting.take(worker):
                self.at_work[worker] = group
                self._check_order(group)
            else:
                self.asleep.add(worker)
            if self.waiting.has_freed and len(self.waiting):
                self.asleep.clear()

    def _check_order(self, group: list[Task]) -> None:
        for task in group:
            for row, key in zip(task.rows, task.keys, strict=True):
                assert task.resumes or self.latest.get(key, -1) < row, "out of order"
                self.latest[key] = row

    def settle(self) -> None:
        """Until whoever is not at work sleeps."""
        while any(one not in self.at_work and one not in self.asleep for one in self.workers):
            self.look()

    def check(self) -> None:
        taken = [task for group in self.at_work.values() for task in group]
        keys = [key for task in [*taken, *self.deferred] for key in task.keys]
        assert len(set(keys)) == len(keys), "a key is in two places"
        for group in self.at_work.values():
            assert len({task.node for task in group}) == 1
        for worker in self.asleep:
            assert not self.waiting.take(worker), "a worker sleeps that could work"

    def end(self) -> None:
        """Everything ends: nothing waits, and no key is held."""
        while self.at_work or self.deferred:
            self.finish()
            self.resume()
            self.settle()
        assert self.waiting.over


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_nobody_sleeps_who_could_work_and_no_key_stays_held(workers: int) -> None:
    for seed in range(150):
        state = _Workers(Random(seed), workers)
        moves = [state.arrive, state.arrive, state.finish, state.finish, state.resume, state.leave]
        moves += [state.put_back] if workers == 1 else []
        for _ in range(60):
            state.random.choice(moves)()
            state.settle()
            state.check()
        state.end()
