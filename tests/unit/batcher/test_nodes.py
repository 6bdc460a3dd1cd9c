"""A store of several nodes, one of which is silent: it holds up its own rows alone."""

import asyncio
import threading
from collections.abc import Sequence

from service.batcher.batcher import Batcher, Part
from tests.unit.batcher.test_worker_threads import DEADLINE, Worker, one_of


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
    assert groups == [[0, 2], [1, 3], [5], [4]]
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
    workers = [Worker(name) for name in "ab"]
    batcher = on_nodes(*workers)
    begun = threading.Event()

    def until_the_second_is_at_work() -> bool:
        begun.set()
        return workers[1].started.acquire(timeout=DEADLINE)

    held = asyncio.ensure_future(batcher.call(object(), until_the_second_is_at_work))
    assert await asyncio.to_thread(begun.wait, DEADLINE)
    batcher.submit("x1", "x1")
    assert await asyncio.wait_for(held, DEADLINE)
    assert await asyncio.wait_for(batcher.call("x2", lambda: "called"), DEADLINE) == "called"
    for worker in workers:
        worker.allowed.release(10)
    await batcher.close()
