"""Several workers, and deferred work: what overlaps, what waits, what is never lost."""

import asyncio
import threading
from collections.abc import Callable, Sequence

import pytest

from service.batcher.batcher import Batcher, Deferred, Part
from service.errors import Overloaded

DEADLINE = 10.0


class Worker:
    """Answers with its own name, once the test lets it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.groups: list[list[object]] = []
        self.started = threading.Semaphore(0)
        self.allowed = threading.Semaphore(0)

    def __call__(self, parts: Sequence[Part[object]]) -> Sequence[object]:
        self.groups.append([part.item for part in parts])
        self.started.release()
        assert self.allowed.acquire(timeout=DEADLINE)
        return [self.name] * len(parts)


async def started(worker: Worker) -> None:
    assert await asyncio.to_thread(worker.started.acquire, timeout=DEADLINE)


async def one_of(*workers: Worker) -> Worker:
    """The worker that took the group."""
    deadline = asyncio.get_running_loop().time() + DEADLINE
    while asyncio.get_running_loop().time() < deadline:
        for worker in workers:
            if worker.started.acquire(blocking=False):
                return worker
        await asyncio.sleep(0.001)
    raise AssertionError("no worker has begun")


async def two_workers() -> tuple[Batcher[object, object], Worker, Worker]:
    """A batcher whose first and second worker are at work on `first` and `second`."""
    workers = Worker("a"), Worker("b")
    batcher: Batcher[object, object] = Batcher(*workers, max_batch=10, max_queue=100)
    batcher.submit("first", 1)
    busy = await one_of(*workers)
    batcher.submit("second", 2)
    idle = workers[1] if busy is workers[0] else workers[0]
    await started(idle)
    return batcher, busy, idle


async def test_a_second_group_runs_while_the_first_is_under_way() -> None:
    batcher, busy, idle = await two_workers()
    assert (busy.groups, idle.groups) == ([[1]], [[2]])
    for worker in (busy, idle):
        worker.allowed.release()
    await asyncio.wait_for(batcher.close(), DEADLINE)


async def test_a_key_that_runs_on_one_worker_is_not_taken_by_another() -> None:
    batcher, busy, idle = await two_workers()
    again, other = batcher.submit("first", 3), batcher.submit("other", 4)
    idle.allowed.release()
    await started(idle)
    assert idle.groups == [[2], [4]]
    idle.allowed.release()
    assert await other == idle.name
    assert not again.done()
    for worker in (busy, idle):
        worker.allowed.release(10)
    assert await asyncio.wait_for(again, DEADLINE)
    assert [3] in busy.groups + idle.groups
    await batcher.close()


async def test_calls_run_on_the_first_worker_after_what_came_before() -> None:
    ran: list[str] = []

    def note(name: str) -> Callable[[Sequence[Part[object]]], Sequence[object]]:
        def run(parts: Sequence[Part[object]]) -> Sequence[object]:
            items = [part.item for part in parts]
            ran.append(f"{name}{items[0]}" if len(items) == 1 else f"{name}{list(items)}")
            return items

        return run

    batcher: Batcher[object, object] = Batcher(note("a"), note("b"), max_batch=9, max_queue=99)
    for number in range(50):
        thread = asyncio.ensure_future(
            batcher.call("key", lambda: threading.current_thread() is batcher.threads[0])
        )
        item = batcher.submit("key", number)
        assert await asyncio.wait_for(thread, DEADLINE)
        assert await asyncio.wait_for(item, DEADLINE) == number
    assert len(ran) == 50
    await batcher.close()


class Executor:
    """An executor whose deferred work the test does when it likes."""

    def __init__(self) -> None:
        self.work: list[Callable[[], None]] = []
        self.came = threading.Semaphore(0)

    def __call__(self, work: Callable[[], None]) -> None:
        self.work.append(work)
        self.came.release()

    async def wait(self, count: int = 1) -> None:
        """Until so much more has been deferred."""
        for _ in range(count):
            assert await asyncio.to_thread(self.came.acquire, timeout=DEADLINE)

    async def do(self) -> None:
        await self.wait()
        await self.do_next()

    async def do_next(self) -> None:
        await asyncio.to_thread(self.work.pop(0))


def long_or_short(parts: Sequence[Part[str]]) -> Sequence[str | Deferred[str]]:
    return [
        Deferred(lambda _: lambda: "done") if part.item == "long" else part.item for part in parts
    ]


def deferring(executor: Callable[[Callable[[], None]], None]) -> Batcher[str, str]:
    return Batcher(long_or_short, max_batch=10, max_queue=10, executor=executor)


async def test_what_is_deferred_holds_up_its_own_key_alone() -> None:
    executor = Executor()
    batcher = deferring(executor)
    long, behind = batcher.submit("key", "long"), batcher.submit("key", "short")
    assert await batcher.submit("other", "another") == "another"
    call = asyncio.ensure_future(batcher.call("key", lambda: "called"))
    await asyncio.sleep(0)
    assert not any(one.done() for one in (long, behind, call))
    await executor.do()
    everything = asyncio.gather(long, behind, call)
    assert list(await asyncio.wait_for(everything, DEADLINE)) == ["done", "short", "called"]
    await batcher.close()


async def test_a_caller_that_goes_frees_its_key() -> None:
    executor = Executor()
    batcher = deferring(executor)
    long, behind = batcher.submit("key", "long"), batcher.submit("key", "short")
    await executor.wait()
    long.cancel()
    await executor.do_next()
    assert await asyncio.wait_for(behind, DEADLINE) == "short"
    await batcher.close()


async def test_deferred_work_knows_whether_its_caller_is_still_there() -> None:
    executor, seen = Executor(), list[bool]()

    def work(wanted: Callable[[], bool]) -> Callable[[], str]:
        seen.append(wanted())
        return lambda: "done"

    batcher: Batcher[str, str] = Batcher(
        lambda parts: [Deferred(work)] * len(parts), max_batch=9, max_queue=9, executor=executor
    )
    stays, goes = batcher.submit("stays", "x"), batcher.submit("goes", "x")
    await executor.wait(2)
    goes.cancel()
    await executor.do_next()
    await executor.do_next()
    assert await stays == "done"
    assert seen == [True, False]
    await batcher.close()


async def test_deferred_work_that_fails_or_is_refused_is_for_its_caller_alone() -> None:
    def refuse(_: Callable[[], None]) -> None:
        raise Overloaded("no room")

    batcher = deferring(refuse)
    long, short = batcher.submit("a", "long"), batcher.submit("b", "short")
    with pytest.raises(Overloaded, match="no room"):
        await long
    assert await short == "short"
    assert await batcher.submit("a", "short") == "short"
    await batcher.close()

    def fail(_: Callable[[], bool]) -> Callable[[], str]:
        raise ZeroDivisionError

    executor = Executor()
    batcher = Batcher(
        lambda parts: [Deferred(fail) if part.item == "long" else part.item for part in parts],
        max_batch=10,
        max_queue=10,
        executor=executor,
    )
    long, behind = batcher.submit("a", "long"), batcher.submit("a", "short")
    await executor.do()
    with pytest.raises(ZeroDivisionError):
        await long
    assert await behind == "short"
    await batcher.close()


async def test_work_may_be_deferred_again() -> None:
    executor = Executor()
    batcher: Batcher[str, str] = Batcher(
        lambda parts: [Deferred(lambda _: lambda: Deferred(lambda _: lambda: "late"))] * len(parts),
        max_batch=10,
        max_queue=10,
        executor=executor,
    )
    long = batcher.submit("key", "long")
    await executor.do()
    await executor.do()
    assert await asyncio.wait_for(long, DEADLINE) == "late"
    await batcher.close()


async def test_closing_waits_for_what_is_deferred() -> None:
    executor = Executor()
    batcher = deferring(executor)
    long, behind = batcher.submit("key", "long"), batcher.submit("key", "short")
    await asyncio.sleep(0)
    closing = asyncio.create_task(batcher.close())
    await executor.do()
    await asyncio.wait_for(closing, DEADLINE)
    assert [await long, await behind] == ["done", "short"]


async def test_workers_that_sleep_end_when_the_last_deferred_work_is_for_nobody() -> None:
    for _ in range(50):
        executor = Executor()
        batcher: Batcher[str, str] = Batcher(
            *[long_or_short] * 3, max_batch=10, max_queue=10, executor=executor
        )
        long = batcher.submit("key", "long")
        await executor.wait()
        closing = asyncio.create_task(batcher.close())
        await asyncio.sleep(0)
        long.cancel()
        await executor.do_next()
        await asyncio.wait_for(closing, DEADLINE)
