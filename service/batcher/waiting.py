"""Who waits, who may go next: in order of arrival, what has the same key one after the other."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
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
    goes on with deferred work of its keys, which all others of the keys wait for.
    """

    keys: Sequence[object]
    reply: Reply[Any]
    expires_at: float
    item: Any = None
    call: Callable[[], object] | None = None
    worker: int | None = None
    resumes: bool = False
    rows: Sequence[int] = (0,)
    settled: bool = False
    """Whether an outcome is on its way to the reply, or deferred work will bring one."""

    def part(self, indexes: Sequence[int]) -> "Task":
        """Some of its rows."""
        return replace(
            self,
            keys=[self.keys[index] for index in indexes],
            rows=[self.rows[index] for index in indexes],
        )


class Waiting:
    """The queue of a batcher with several workers. Its owner sees to it that one thread is in here.

    From `take` until `release` a key is held: no other task of it is taken meanwhile.
    """

    def __init__(self, max_batch: int, refuse: Callable[[Task], None]) -> None:
        """`refuse` answers a task that has waited for too long."""
        self._max_batch = max_batch
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
            self._held.difference_update(task.keys)
            self.resume(task)

    def take(self, worker: int) -> list[Task]:
        """The longest group for a worker without two rows of one key, in order of arrival.

        Of a task with many rows those stay whose keys are not free.
        """
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
            free, rest = (task, None) if task.resumes else self._split(task, passed, room)
            if rest is not None:
                later.append(rest)
            if free is None:
                continue
            self._rows -= len(free.keys)
            if self.is_wanted(free):
                self._held.update(free.keys)
                group.append(free)
                room -= len(free.keys)
            elif free.resumes:
                self._held.difference_update(free.keys)
        later.extend(tasks)
        self._tasks = later
        return group

    def _split(self, task: Task, passed: set[object], room: int) -> tuple[Task | None, Task | None]:
        """What of a task can go, and what has to wait."""
        held, keys = self._held, task.keys
        if len(keys) == 1:
            waits = keys[0] in held or keys[0] in passed
            return (None, task) if waits else (task, None)
        if (
            len(keys) <= room
            and held.isdisjoint(keys)
            and passed.isdisjoint(keys)
            and len(set(keys)) == len(keys)
        ):
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
            self._held.difference_update(task.keys)

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
