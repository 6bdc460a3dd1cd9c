"""Groups, order, cancellation, overload, failure and the end."""

import asyncio
import threading
import time
from collections.abc import Sequence

import pytest

from service.batcher.batcher import Batcher, Part
from service.errors import Overloaded, ShuttingDown
from service.metrics.catalogue import REGISTRY


class Runner:
    """Answers an item with itself, one group at a time, each when the test lets it."""

    def __init__(self) -> None:
        self.groups: list[list[object]] = []
        self.started = threading.Semaphore(0)
        self.allowed = threading.Semaphore(0)

    def __call__(self, parts: Sequence[Part[object]]) -> Sequence[object]:
        items = [part.item for part in parts]
        self.groups.append(items)
        self.started.release()
        assert self.allowed.acquire(timeout=10)
        return items

    async def wait_until_started(self) -> None:
        assert await asyncio.to_thread(self.started.acquire, timeout=10)

    def allow(self, groups: int = 1000) -> None:
        self.allowed.release(groups)


@pytest.fixture
def runner() -> Runner:
    return Runner()


def batcher(
    runner: Runner, *, max_batch: int = 100, max_queue: int = 100
) -> Batcher[object, object]:
    return Batcher(runner, max_batch=max_batch, max_queue=max_queue)


async def busy(
    runner: Runner, **limits: int
) -> tuple[Batcher[object, object], asyncio.Task[object]]:
    """A batcher at work on one item, with the task that waits for it."""
    one = batcher(runner, **limits)
    first = asyncio.create_task(submit(one, "first", "first"))
    await runner.wait_until_started()
    return one, first


async def submit(one: Batcher[object, object], key: object, item: object) -> object:
    return await one.submit(key, item)


def submitted(
    one: Batcher[object, object], *items: tuple[object, object]
) -> list[asyncio.Task[object]]:
    return [asyncio.create_task(submit(one, key, item)) for key, item in items]


async def test_an_item_alone_runs_at_once(runner: Runner) -> None:
    one = batcher(runner)
    runner.allow()
    assert await one.submit("key", 1) == 1
    assert runner.groups == [[1]]
    await one.close()


async def test_what_arrives_during_a_run_forms_the_next_group(runner: Runner) -> None:
    one, first = await busy(runner)
    others = submitted(one, ("a", 1), ("b", 2), ("c", 3))
    await asyncio.sleep(0)
    runner.allow()
    assert await first == "first"
    assert await asyncio.gather(*others) == [1, 2, 3]
    assert runner.groups == [["first"], [1, 2, 3]]
    await one.close()


async def test_the_queue_is_as_long_as_what_waits_not_what_runs(runner: Runner) -> None:
    one, first = await busy(runner)
    assert REGISTRY.get_sample_value("gatewise_queue_length") == 0
    others = submitted(one, ("a", 1), ("first", 2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert REGISTRY.get_sample_value("gatewise_queue_length") == 2
    runner.allow(1)
    assert await first == "first"
    await runner.wait_until_started()
    assert REGISTRY.get_sample_value("gatewise_queue_length") == 0
    runner.allow()
    await asyncio.gather(*others)
    await one.close()


async def test_one_key_runs_in_order_and_never_twice_in_a_group(runner: Runner) -> None:
    one, first = await busy(runner)
    others = submitted(one, ("a", 1), ("a", 2), ("b", 3), ("a", 4), ("b", 5))
    await asyncio.sleep(0)
    runner.allow()
    assert await asyncio.gather(first, *others) == ["first", 1, 2, 3, 4, 5]
    assert runner.groups == [["first"], [1, 3], [2, 5], [4]]
    await one.close()


async def test_a_group_has_at_most_max_batch_items(runner: Runner) -> None:
    one, first = await busy(runner, max_batch=2)
    others = submitted(one, ("a", 1), ("a", 2), ("b", 3), ("c", 4), ("a", 5))
    await asyncio.sleep(0)
    runner.allow()
    await asyncio.gather(first, *others)
    assert runner.groups == [["first"], [1, 3], [2, 4], [5]]
    await one.close()


async def test_a_call_runs_in_its_turn_among_the_items_of_its_key(runner: Runner) -> None:
    one, first = await busy(runner)
    items = submitted(one, ("a", 1))
    await asyncio.sleep(0)
    call = asyncio.ensure_future(one.call("a", lambda: len(runner.groups)))
    await asyncio.sleep(0)
    items += submitted(one, ("a", 2))
    await asyncio.sleep(0)
    runner.allow()
    assert await call == 2
    await asyncio.gather(first, *items)
    assert runner.groups == [["first"], [1], [2]]
    await one.close()


async def test_a_cancelled_caller_is_skipped_and_harms_nobody(runner: Runner) -> None:
    one, first = await busy(runner)
    others = submitted(one, ("a", 1), ("b", 2), ("c", 3))
    await asyncio.sleep(0)
    others[1].cancel()
    first.cancel()
    await asyncio.sleep(0)
    runner.allow()
    assert await others[0] == 1
    assert await others[2] == 3
    assert runner.groups == [["first"], [1, 3]]
    assert first.cancelled()
    await one.close()


async def test_a_group_whose_callers_are_all_gone(runner: Runner) -> None:
    one, first = await busy(runner)
    others = submitted(one, ("a", 1))
    await asyncio.sleep(0)
    others[0].cancel()
    await asyncio.sleep(0)
    runner.allow()
    assert await first == "first"
    assert await one.submit("b", 2) == 2
    assert runner.groups == [["first"], [2]]
    await one.close()


async def test_more_than_max_queue_is_refused_at_once(runner: Runner) -> None:
    one, first = await busy(runner, max_queue=3)
    others = submitted(one, *((key, key) for key in range(3)))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded, match="3 requests are waiting"):
        await one.submit("more", "more")
    with pytest.raises(Overloaded):
        await one.call("more", lambda: None)
    runner.allow()
    assert await asyncio.gather(*others) == [0, 1, 2]
    assert await one.submit("more", "more") == "more"
    await first
    await one.close()


async def test_a_run_that_fails_reaches_every_caller_and_the_next_group_runs() -> None:
    failures = [OSError("the disk is gone")]

    def run(parts: Sequence[Part[int]]) -> Sequence[int | Exception]:
        if failures:
            raise failures.pop()
        return [part.item for part in parts]

    one: Batcher[int, int] = Batcher(run, max_batch=10, max_queue=10)
    gate = threading.Event()
    held = asyncio.ensure_future(one.call("hold", lambda: gate.wait(10)))
    tasks = [asyncio.ensure_future(one.submit(key, key)) for key in range(3)]
    await asyncio.sleep(0)
    gate.set()
    assert await held
    for failed in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(failed, OSError)
    assert await one.submit(9, 9) == 9
    await one.close()


async def test_an_exception_in_an_items_place_is_for_its_caller_alone() -> None:
    def run(parts: Sequence[Part[int]]) -> Sequence[int | Exception]:
        return [part.item if part.item % 2 else ValueError(str(part.item)) for part in parts]

    one: Batcher[int, int] = Batcher(run, max_batch=10, max_queue=10)
    tasks = [asyncio.ensure_future(one.submit(key, key)) for key in range(4)]
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(outcome) for outcome in found] == ["0", "1", "2", "3"]
    assert [isinstance(outcome, ValueError) for outcome in found] == [True, False, True, False]
    await one.close()


async def test_a_run_with_too_few_answers_fails_its_group_and_the_batcher_lives_on() -> None:
    one: Batcher[int, int] = Batcher(
        lambda parts: [9] if parts[0].item == 9 else [], max_batch=10, max_queue=10
    )
    with pytest.raises(RuntimeError, match="0 answers to 1 items"):
        await one.submit(1, 1)
    assert await one.submit(9, 9) == 9
    await one.close()


async def test_a_call_that_fails_is_for_its_caller_alone(runner: Runner) -> None:
    one, first = await busy(runner)
    call = asyncio.ensure_future(one.call("a", lambda: 1 // 0))
    others = submitted(one, ("b", 2))
    await asyncio.sleep(0)
    runner.allow()
    with pytest.raises(ZeroDivisionError):
        await call
    assert await asyncio.gather(first, *others) == ["first", 2]
    await one.close()


async def test_closing_finishes_what_waits_and_refuses_what_is_new(runner: Runner) -> None:
    one, first = await busy(runner, max_batch=1)
    others = submitted(one, ("a", 1), ("a", 2), ("b", 3))
    await asyncio.sleep(0)
    closing = asyncio.create_task(one.close())
    await asyncio.sleep(0)
    with pytest.raises(ShuttingDown):
        await one.submit("late", "late")
    runner.allow()
    await closing
    assert await asyncio.gather(first, *others) == ["first", 1, 2, 3]
    await one.close()


async def test_who_has_waited_too_long_is_refused_and_not_run(runner: Runner) -> None:
    one = Batcher[object, object](runner, max_batch=10, max_queue=10, max_wait_seconds=0.05)
    first = asyncio.create_task(submit(one, "first", "first"))
    await runner.wait_until_started()
    late = asyncio.create_task(submit(one, "late", "late"))
    await asyncio.sleep(0.1)
    runner.allow()
    with pytest.raises(Overloaded, match=r"waited for 0\.05 s; nothing was applied"):
        await late
    assert await first == "first"
    assert await submit(one, "next", "next") == "next"
    await one.close()
    assert runner.groups == [["first"], ["next"]]


async def test_a_call_behind_a_slow_one_of_its_group_is_refused_in_time(runner: Runner) -> None:
    one = Batcher[object, object](runner, max_batch=10, max_queue=10, max_wait_seconds=0.05)
    blocker = asyncio.create_task(submit(one, "blocker", "blocker"))
    await runner.wait_until_started()
    begun, late = threading.Event(), []

    def slow() -> str:
        begun.set()
        time.sleep(0.1)
        return "slow"

    calls = [
        asyncio.create_task(one.call(number, call))
        for number, call in enumerate([slow, lambda: late.append(1), lambda: late.append(2)])
    ]
    await asyncio.sleep(0)
    calls[2].cancel()
    runner.allow()
    assert await calls[0] == "slow"
    with pytest.raises(Overloaded, match="nothing was applied"):
        await calls[1]
    assert begun.is_set() and not late
    await blocker
    await one.close()
