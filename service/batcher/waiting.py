"""Who waits, who may go next: tasks in order of arrival, those of one key one after the other."""

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from service.errors import Overloaded

Answer_contra = TypeVar("Answer_contra", contravariant=True)


class Reply(Protocol[Answer_contra]):
    """Who waits for an outcome, which comes on the event loop: an asyncio.Future is one."""

    def cancelled(self) -> bool: ...
    def set_result(self, result: Answer_contra, /) -> None: ...
    def set_exception(self, exception: Exception, /) -> None: ...


@dataclass(slots=True, eq=False)
class Task:
    """A request in the queue: an item for a group's run, or a call of its own.

    One with a `worker` runs on that worker only. One that `resumes` goes on with deferred work of
    its key, which all others of the key wait for.
    """

    key: object
    reply: Reply[Any]
    expires_at: float
    item: Any = None
    call: Callable[[], object] | None = None
    worker: int | None = None
    resumes: bool = False
    settled: bool = False
    """Whether an outcome is on its way to the reply, or deferred work will bring one."""


class Waiting:
    """The queue of a batcher with several workers. Its owner sees to it that one thread is in here.

    From `take` until `release` a key is held: no other task of it is taken meanwhile.
    """

    def __init__(self, max_batch: int, refuse: Callable[[Task], None]) -> None:
        """`refuse` answers a task that has waited for too long."""
        self._max_batch = max_batch
        self._refuse = refuse
        self._tasks: deque[Task] = deque()
        self._held: set[object] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def over(self) -> bool:
        """Nothing waits, nothing runs and nothing is deferred."""
        return not self._tasks and not self._held

    def add(self, tasks: Iterable[Task]) -> None:
        self._tasks.extend(tasks)

    def resume(self, task: Task) -> None:
        """Let a task go on that was deferred, in front of all that came later."""
        self._tasks.appendleft(task)

    def take(self, worker: int) -> list[Task]:
        """The longest group for a worker without two tasks of one key, in order of arrival."""
        group: list[Task] = []
        passed: set[object] = set()
        later: deque[Task] = deque()
        held, tasks = self._held, self._tasks
        while tasks and len(group) < self._max_batch:
            task = tasks.popleft()
            if not task.resumes and (task.key in held or task.key in passed):
                later.append(task)
            elif task.worker is not None and task.worker != worker:
                passed.add(task.key)
                later.append(task)
            elif self.is_wanted(task):
                held.add(task.key)
                group.append(task)
            elif task.resumes:
                held.discard(task.key)
        later.extend(tasks)
        self._tasks = later
        return group

    def release(self, tasks: Iterable[Task]) -> None:
        """Let the next tasks of these keys go."""
        self._held.difference_update([task.key for task in tasks])

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
