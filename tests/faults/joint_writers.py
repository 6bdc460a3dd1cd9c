"""Writers that share a session."""

import asyncio
from random import Random

from service.engine.engine import Engine
from tests.faults.history import History
from tests.faults.http_connection import Answer
from tests.faults.requests import Numbers, Request
from tests.faults.writer import IMPATIENT_SECONDS, NOT_KEPT, World, Writer, refusal


class Turns:
    """Keeps those who share a session from running far ahead of one that still waits.

    The session remembers its latest keyed requests only. Whoever has to insist on one must find
    its receipt, and so the others may not push it out meanwhile.
    """

    _AHEAD = 4

    def __init__(self) -> None:
        self._taken = 0
        self._pending: set[int] = set()
        self._changed = asyncio.Condition()

    async def take(self) -> int:
        async with self._changed:
            await self._changed.wait_for(
                lambda: self._taken - min(self._pending, default=self._taken) < self._AHEAD
            )
            self._taken += 1
            self._pending.add(self._taken)
            return self._taken

    async def end(self, turn: int) -> None:
        async with self._changed:
            self._pending.discard(turn)
            self._changed.notify_all()


class SharingWriter(Writer):
    """One of several writers of a session; every request has a key and no condition."""

    shares = True
    turns: Turns

    async def write_one(self, history: History) -> None:
        turn = await self.turns.take()
        try:
            request = self.draw(history)
            answer = await self.ask(request)
            if answer.code == NOT_KEPT:
                history.add_lost(request, _applied_as(answer))
            else:
                self.accept(history, request, answer)
        finally:
            await self.turns.end(turn)

    def draw(self, history: History) -> Request:
        if self.random.random() < 0.1:
            return self.maker.rollout(history.session_id)
        return self.maker.steps(history.session_id)

    def accept(self, history: History, request: Request, answer: Answer) -> None:
        if answer.status != 200:
            raise history.mismatch(refusal(request, answer))
        history.add(request, answer)


class NumberedSharingWriter(SharingWriter):
    """One of several writers, each with numbers of its own; gives attempts up early."""

    patience_seconds = IMPATIENT_SECONDS

    def __init__(self, world: World, engine: Engine, random: Random) -> None:
        super().__init__(world, engine, random)
        self._numbers = Numbers(random)

    def draw(self, history: History) -> Request:
        request = super().draw(history)
        request.key = self._numbers.next()
        return request

    async def ask(self, request: Request) -> Answer:
        await self.abandon_some(request)
        return await super().ask(request)


class ContestingWriter(SharingWriter):
    """One of several writers, each of which writes only where it believes the session to be."""

    patience_seconds = IMPATIENT_SECONDS
    _step: int | None = None
    _tag: str | None = None

    def draw(self, history: History) -> Request:
        step = history.expected.step if self._step is None else self._step
        tag = self._tag or history.tag
        if tag is None or self.random.random() < 0.5:
            return self.maker.steps(history.session_id, at=step)
        request = self.maker.steps(history.session_id)
        request.if_match = tag
        return request

    def accept(self, history: History, request: Request, answer: Answer) -> None:
        """A refusal says where the session is, and that nothing was applied."""
        self._step, self._tag = answer.content().get("step"), answer.etag
        if answer.status == 200:
            history.add(request, answer)
        elif answer.code in ("step_conflict", "precondition_failed"):
            self.world.figures.conflicts += 1
        else:
            raise history.mismatch(refusal(request, answer))


def _applied_as(answer: Answer) -> int:
    """The count after a request whose answer is not kept any more."""
    step: int = answer.content()["applied_step"]
    return step
