"""Groups that run on the event loop, in place of a worker that sleeps."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence

import pytest

from service.batcher import batcher as module
from service.batcher.batcher import Batcher, Part
from service.errors import MustWait

DEADLINE = 10.0


class Threads:
    """Answers each item with itself, and remembers on which thread its group ran."""

    def __init__(self, before: Callable[[], object] = lambda: None) -> None:
        self.groups: list[tuple[list[str], threading.Thread]] = []
        self._before = before

    def __call__(self, parts: Sequence[Part[str]]) -> Sequence[str]:
        self._before()
        self.groups.append(([part.item for part in parts], threading.current_thread()))
        return [part.item for part in parts]

    def ran_here(self) -> list[bool]:
        return [thread is threading.main_thread() for _, thread in self.groups]


def quick(*runs: Threads, max_batch: int = 10) -> Batcher[str, str]:
    """Where all items but those called `long` are quick."""
    return Batcher(*runs, max_batch=max_batch, max_queue=100, is_quick=lambda item: item != "long")


async def asleep(batcher: Batcher[str, str]) -> None:
    """The workers have begun, and found nothing to do."""
    deadline = time.monotonic() + DEADLINE
    while len(batcher._idle) < len(batcher.threads):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)


async def answers(batcher: Batcher[str, str], *items: str, key: str = "") -> list[str]:
    """To items that arrive in one turn of the event loop."""
    futures = [batcher.submit(key or item, item) for item in items]
    return await asyncio.wait_for(asyncio.gather(*futures), DEADLINE)


async def test_a_quick_group_runs_on_the_event_loop() -> None:
    run = Threads()
    batcher = quick(run)
    await asleep(batcher)
    assert await answers(batcher, "a", "b") == ["a", "b"]
    assert [items for items, _ in run.groups] == [["a", "b"]]
    assert run.ran_here() == [True]
    await asyncio.wait_for(batcher.close(), DEADLINE)


async def test_what_is_not_quick_is_the_worker_s_with_its_company() -> None:
    run = Threads()
    batcher = quick(run)
    await asleep(batcher)
    await answers(batcher, "a", "long")
    assert run.ran_here() == [False]
    await asleep(batcher)
    call = asyncio.ensure_future(batcher.call("b", threading.current_thread))
    await asyncio.sleep(0)
    await answers(batcher, "a")
    assert await call is batcher.threads[0]
    await batcher.close()


async def test_of_several_workers_none_is_stood_in_for() -> None:
    runs = Threads(), Threads()
    batcher = quick(*runs)
    await asleep(batcher)
    await answers(batcher, "a")
    assert not any(runs[0].ran_here() + runs[1].ran_here())
    await batcher.close()


async def test_one_group_runs_here_and_the_worker_has_the_rest() -> None:
    run = Threads()
    batcher = quick(run, max_batch=2)
    await asleep(batcher)
    assert await answers(batcher, "a", "b", "c", "d", "e") == ["a", "b", "c", "d", "e"]
    assert run.ran_here()[0]
    assert not any(run.ran_here()[1:])
    assert [item for items, _ in run.groups for item in items] == ["a", "b", "c", "d", "e"]
    await asleep(batcher)
    assert await answers(batcher, "x", "y", key="same") == ["x", "y"], "one after the other"
    await batcher.close()


async def test_what_would_have_to_wait_is_done_by_the_worker_once() -> None:
    def wait() -> None:
        if threading.current_thread() is threading.main_thread():
            raise MustWait

    run = Threads(wait)
    batcher = quick(run)
    await asleep(batcher)
    assert await answers(batcher, "a", "b") == ["a", "b"]
    assert run.groups == [(["a", "b"], batcher.threads[0])]
    assert await answers(batcher, "a") == ["a"], "its key is free"
    await batcher.close()


async def test_after_a_slow_group_the_worker_has_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SLOW_FOR_SECONDS", 0.2)
    pauses = [2 * module._SLOW_SECONDS]
    run = Threads(lambda: time.sleep(pauses.pop() if pauses else 0))
    batcher = quick(run)
    for _ in range(2):
        await asleep(batcher)
        await answers(batcher, "a")
    await asyncio.sleep(0.3)
    await asleep(batcher)
    await answers(batcher, "a")
    assert run.ran_here() == [True, False, True]
    await batcher.close()


async def test_a_mistake_on_the_event_loop_reaches_whoever_waits() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    batcher = quick(Threads(fail))
    await asleep(batcher)
    with pytest.raises(ZeroDivisionError):
        await answers(batcher, "a")
    with pytest.raises(ZeroDivisionError):
        await answers(batcher, "a")
    await asyncio.wait_for(batcher.close(), DEADLINE)


class Noted:
    """Notes its name when it is answered."""

    def __init__(self, name: str, answered: list[str]) -> None:
        self._name = name
        self._answered = answered

    def cancelled(self) -> bool:
        return False

    def answer(self, _: Sequence[int], __: object) -> None:
        self._answered.append(self._name)


def _be_busy() -> None:
    time.sleep(0.1)


async def test_what_the_worker_has_done_is_answered_before_what_runs_here() -> None:
    run, answered = Threads(), list[str]()
    batcher = quick(run)
    await asleep(batcher)
    batcher.enqueue(("s",), Noted("first", answered), item="long")
    await asyncio.sleep(0)
    batcher.enqueue(("s",), Noted("second", answered), item="quick")
    _be_busy()  # and the worker is done meanwhile
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert run.ran_here() == [False, True]
    assert answered == ["first", "second"]
    await batcher.close()


async def test_a_worker_that_is_stood_in_for_is_not_woken() -> None:
    woken: list[int] = []

    def wake() -> None:
        batcher._wake_workers()
        time.sleep(0.05)
        woken.append(len(run.groups))

    run = Threads(wake)
    batcher = quick(run)
    await asleep(batcher)
    await answers(batcher, "a")
    assert run.ran_here() == [True]
    assert woken == [0]
    await asyncio.wait_for(batcher.close(), DEADLINE)
