"""Who waits, who may go next: in order of arrival, what has the same key one after the other."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from service.errors import Overloaded

Answer_contra = TypeVar("Answer_contra", contravariant=True)


class Reply(Protocol[Answer_contra]):
    """Who waits for what comes of a task. `answer` is called on the event loop, once for all rows
    or several times for some of them each."""

    def cancelled(self) -> bool: ...
    def answer(self, rows: Sequence[int], outcome: Answer_contra | Exception, /) -> None: ...


@dataclass(slots=True, eq=False)
class Task:
    """A request in the queue: rows of an item for a group's run, or a call of its own.

    Each of `rows` has its key. A task with a `worker` runs on that worker only. One that `resumes`
    goes on with deferred work of its keys, which all others of the keys wait for. `nodes` are those
    of the store that the keys lie on; None for a store of one.
    """

    keys: Sequence[object]
    reply: Reply[Any]
    expires_at: float
    item: Any = None
    call: Callable[[], object] | None = None
    worker: int | None = None
    resumes: bool = False
    rows: Sequence[int] = (0,)
    nodes: Sequence[object] | None = None
    held: Set[object] = frozenset()
    """Its keys, as long as it is taken: a set knows their hashes."""
    settled: bool = False
    """Whether an outcome is on its way to the reply, or deferred work will bring one."""

    def part(self, indexes: Sequence[int]) -> "Task":
        """Some of its rows."""
        return replace(
            self,
            keys=[self.keys[index] for index in indexes],
            rows=[self.rows[index] for index in indexes],
            nodes=self.nodes and [self.nodes[index] for index in indexes],
            held=frozenset(),
        )


class Waiting:
    """The queue of a batcher with several workers. Its owner sees to it that one thread is in here.

    From `take` until `release` a key is held: no other task of it is taken meanwhile.

    Where a store has several nodes, a group is of one of them, and one worker stays free for the
    others: a node that is silent holds up nobody but its own.
    """

    def __init__(self, max_batch: int, refuse: Callable[[Task], None], workers: int = 1) -> None:
        """`refuse` answers a task that has waited for too long."""
        self._max_batch = max_batch
        self._workers = workers
        self._at_work: dict[int, object] = {}
        """By worker, the node that its group is of."""
        self._refuse = refuse
        self._tasks: deque[Task] = deque()
        self._rows = 0
        self._held: set[object] = set()

    def __len__(self) -> int:
        return self._rows

    @property
    def over(self) -> bool:
        """Nothing waits, nothing runs and nothing is deferred."""
        return not self._tasks and not self._held

    def add(self, tasks: Iterable[Task]) -> None:
        for task in tasks:
            self._tasks.append(task)
            self._rows += len(task.keys)

    def resume(self, task: Task) -> None:
        """Let a task go on that was deferred, in front of all that came later."""
        self._tasks.appendleft(task)
        self._rows += len(task.keys)

    def put_back(self, group: Iterable[Task]) -> None:
        """In front again, what was taken and has not begun."""
        for task in reversed(list(group)):
            self._held -= task.held
            self.resume(task)

    def take(self, worker: int) -> list[Task]:
        """The longest group for a worker without two rows of one key, in order of arrival.

        Of a task with many rows those stay whose keys are not free.
        """
        nodes = _Nodes(self._full_nodes(worker))
        group: list[Task] = []
        passed: set[object] = set()
        later: deque[Task] = deque()
        tasks, room = self._tasks, self._max_batch
        while tasks and room > 0:
            task = tasks.popleft()
            if task.worker is not None and task.worker != worker:
                passed.update(task.keys)
                later.append(task)
                continue
            free, rest = self._free(task, nodes, passed, room)
            later.extend(rest)
            if free is None:
                continue
            self._rows -= len(free.keys)
            if self.is_wanted(free):
                free.held = free.held or set(free.keys)
                self._held |= free.held
                group.append(free)
                nodes.choose(free)
                room -= len(free.keys)
            elif free.resumes:
                self._held -= free.held
        later.extend(tasks)
        self._tasks = later
        self._at_work[worker] = nodes.chosen
        return group

    def _full_nodes(self, worker: int) -> set[object]:
        """Those that all other workers are waiting for."""
        self._at_work.pop(worker, None)
        if self._workers == 1 or len(self._at_work) < self._workers - 1:
            return set()
        nodes = set(self._at_work.values())
        return nodes if len(nodes) == 1 else set()

    def _free(
        self, task: Task, nodes: "_Nodes", passed: set[object], room: int
    ) -> tuple[Task | None, list[Task]]:
        """What of a task can go, and the parts that have to wait."""
        if len(task.keys) == 1 and task.nodes is None:  # as of HTTP
            (key,) = task.keys
            waits = not task.resumes and (key in self._held or key in passed)
            return (None, [task]) if waits else (task, [])
        free, elsewhere = nodes.split(task)
        if elsewhere is not None:
            passed.update(elsewhere.keys)
        held = None
        if free is not None and not free.resumes:
            free, held = self._split(free, passed, room)
        return free, [part for part in (elsewhere, held) if part is not None]

    def _split(self, task: Task, passed: set[object], room: int) -> tuple[Task | None, Task | None]:
        """What of a task of one node can go, and what has to wait."""
        held, keys = self._held, task.keys
        distinct = set(keys)
        if (
            len(keys) <= room
            and len(distinct) == len(keys)
            and distinct.isdisjoint(held)
            and distinct.isdisjoint(passed)
        ):
            task.held = distinct
            return task, None
        taken: set[object] = set()
        free, rest = list[int](), list[int]()
        for index, key in enumerate(keys):
            if len(free) < room and not (key in held or key in passed or key in taken):
                taken.add(key)
                free.append(index)
            else:
                rest.append(index)
        return task.part(free) if free else None, task.part(rest)

    def release(self, tasks: Iterable[Task]) -> None:
        """Let the next rows of these keys go."""
        for task in tasks:
            self._held -= task.held

    def is_wanted(self, task: Task) -> bool:
        """False for one whose caller has gone, or waits for too long, which is refused."""
        if task.reply.cancelled():
            return False
        if task.expires_at < time.monotonic():
            self._refuse(task)
            return False
        return True


class _Nodes:
    """Of which node of the store a group is."""

    def __init__(self, full: set[object]) -> None:
        self.chosen: object = None
        self._full = full - {None}

    def split(self, task: Task) -> tuple[Task | None, Task | None]:
        """What of a task can be in the group, and what not. A call, or work that was deferred, is
        for one worker alone, and so may be of a node that all others wait for."""
        if task.nodes is None:
            return task, None
        bound = task.call is not None
        chosen = self.chosen
        if chosen is None:
            open_to = (node for node in task.nodes if bound or node not in self._full)
            chosen = next(open_to, None)
        if chosen is None:
            return None, task
        fits = [index for index, node in enumerate(task.nodes) if node == chosen]
        if len(fits) == len(task.nodes):
            return task, None
        rest = [index for index, node in enumerate(task.nodes) if node != chosen]
        return (task.part(fits) if fits else None), task.part(rest)

    def choose(self, task: Task) -> None:
        if self.chosen is None and task.nodes is not None:
            self.chosen = task.nodes[0]


def waited_too_long(seconds: float) -> Overloaded:
    return Overloaded(f"the request has waited for {seconds:g} s; nothing was applied")
