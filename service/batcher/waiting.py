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
    goes on with deferred work of its keys, which all others of the keys wait for. All keys lie on
    one `node` of the store; None for a store of one, and for a call that is not about a session.
    """

    keys: Sequence[object]
    reply: Reply[Any]
    expires_at: float
    item: Any = None
    call: Callable[[], object] | None = None
    worker: int | None = None
    resumes: bool = False
    rows: Sequence[int] = (0,)
    node: object = None
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
            held=frozenset(),
        )


NodeOf = Callable[[object], object]
"""Says on which of the store's nodes a key lies; None of one that lies on none."""


def _by_nodes(task: Task, node_of: NodeOf) -> list[Task]:
    """A part of a task for each node that its keys lie on."""
    nodes = {key: node_of(key) for key in task.keys}
    by_node: dict[object, list[int]] = {}
    for index, key in enumerate(task.keys):
        by_node.setdefault(nodes[key], []).append(index)
    parts = [task] if len(by_node) == 1 else list(map(task.part, by_node.values()))
    for part, node in zip(parts, by_node, strict=True):
        part.node = node
    return parts


class Waiting:
    """The queue of a batcher with several workers. Its owner sees to it that one thread is in here.

    From `take` until `release` a key is held: no other task of it is taken meanwhile.

    Where a store has several nodes, a group is of one of them, and one worker stays free for the
    others: a node that is silent holds up nobody's steps but its own.
    """

    def __init__(
        self,
        max_batch: int,
        refuse: Callable[[Task], None],
        workers: int = 1,
        node_of: NodeOf | None = None,
    ) -> None:
        """`refuse` answers a task that has waited for too long. A store of one node needs no
        `node_of`."""
        self.has_freed = False
        """Whether the latest look made way for something that another worker may have passed."""
        self._max_batch = max_batch
        self._workers = workers
        self._node_of = node_of
        self._at_work: dict[int, object] = {}
        """By worker that is at work, the node that its group is of."""
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
            self._tasks += [task] if self._node_of is None else _by_nodes(task, self._node_of)
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
        before, node = self._at_work.pop(worker, None), None
        self.has_freed = False
        group: list[Task] = []
        passed: set[object] = set()
        later: deque[Task] = deque()
        tasks, room = self._tasks, self._max_batch
        while tasks and room > 0:
            task = tasks.popleft()
            if task.worker not in (None, worker) or self._is_elsewhere(task, node):
                passed.update(task.keys)
                later.append(task)
                continue
            free, rest = self._split(task, passed, room)
            if rest is not None:
                later.append(rest)
            if free is None:
                continue
            self._rows -= len(free.keys)
            if self.is_wanted(free):
                free.held = free.held or set(free.keys)
                self._held |= free.held
                group.append(free)
                room -= len(free.keys)
                node = node or free.node
            else:
                self._held -= free.held  # of deferred work
                self.has_freed |= free.worker is not None
        later.extend(tasks)
        self._tasks = later
        if group:
            self._at_work[worker] = node
            self.has_freed |= node != before
        return group

    def _is_elsewhere(self, task: Task, node: object) -> bool:
        """Whether a task is of another node than a group, or of one that all others wait for.

        What is for one worker alone goes all the same: there is nobody else for it.
        """
        if task.node is None or task.node == node:
            return False
        if node is not None:
            return True
        others = self._at_work.values()
        if not others or len(others) < self._workers - 1 or task.call is not None:
            return False
        return all(one in (None, task.node) for one in others)

    def _split(self, task: Task, passed: set[object], room: int) -> tuple[Task | None, Task | None]:
        """What of a task can go, and what has to wait."""
        held, keys = self._held, task.keys
        if task.resumes:
            return task, None
        if len(keys) == 1:
            waits = keys[0] in held or keys[0] in passed
            return (None, task) if waits else (task, None)
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


def waited_too_long(seconds: float) -> Overloaded:
    return Overloaded(f"the request has waited for {seconds:g} s; nothing was applied")
