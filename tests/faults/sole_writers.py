"""Writers that have a session to themselves, and a key for every request."""

from dataclasses import replace
from random import Random

from service.engine.engine import Engine
from service.sessions.receipts import KEPT_RECEIPTS
from tests.faults.history import History
from tests.faults.http_connection import Answer
from tests.faults.requests import Numbers, Request, read_state
from tests.faults.writer import (
    IMPATIENT_SECONDS,
    NOT_KEPT,
    World,
    Writer,
    check_stored,
    refusal,
)

_STATE_LEAP = 1000


class KeyedWriter(Writer):
    """The only writer of its session; every request has a key."""

    async def write_one(self, history: History) -> None:
        draw = self.random.random()
        if draw < 0.06:
            await self.repeat_late(history)
        elif draw < 0.1:
            await self._look(history)
        elif draw < 0.12:
            await self._fork(history)
        else:
            request = self.draw(history)
            answer = await self.ask(request)
            if answer.status != 200:
                raise history.mismatch(refusal(request, answer))
            history.add(request, answer)

    def draw(self, history: History) -> Request:
        """Anything that moves the session."""
        draw = self.random.random()
        if draw < 0.06:
            # Never a count that the session had before, so that `at` stays an unambiguous place.
            step = history.expected.step + self.random.randrange(1, _STATE_LEAP)
            return self.maker.state(history.session_id, step)
        if draw < 0.16:
            return self.maker.rollout(history.session_id, at=self.at(history))
        return self.maker.steps(history.session_id, at=self.at(history))

    def at(self, _history: History) -> int | None:
        """What a request says of the session's count."""
        return None

    def draw_fork(self, history: History) -> Request:
        return self.maker.fork(history.session_id)

    async def _fork(self, history: History) -> None:
        """A new session that goes on from here, with a writer of its own."""
        request = self.draw_fork(history)
        answer = await self.ask(request)
        if answer.status != 201:
            raise history.mismatch(refusal(request, answer))
        at = history.expected
        made = History(
            request, answer, self.engine, self.world.figures, state=at.state, step=at.step
        )
        self.world.histories.append(made)
        self.world.figures.requests["fork"] += 1
        writer = type(self)(self.world, self.engine, Random(self.random.random()))
        self.world.spawn(writer.write(made, self.random.randint(5, 30)))

    async def repeat_late(self, history: History) -> None:
        """One of the latest requests again, though it was answered and newer ones followed."""
        chosen = self.random.randrange(-1, len(history.kept))
        earlier = history.made if chosen < 0 else history.kept[chosen].applied
        if earlier.answer is None:
            return
        surely = chosen < 0 or history.is_surely_kept(chosen)
        self.world.figures.late_retries += 1
        answer = await self.client.ask(earlier.request)
        if answer.code == NOT_KEPT and not surely:
            self.world.figures.not_kept += 1
        elif answer != replace(earlier.answer, replayed=True):
            raise history.mismatch(
                f"{earlier.request}, repeated, gave {answer}; at first it gave {earlier.answer}"
            )

    async def _look(self, history: History) -> None:
        """Any replica shows what was answered by any."""
        answer = await self.client.ask(read_state(history.session_id))
        check_stored(history, answer)


class GuardedWriter(KeyedWriter):
    """Says with every request where the session has to be; gives attempts up early."""

    patience_seconds = IMPATIENT_SECONDS

    def draw(self, history: History) -> Request:
        request = super().draw(history)
        if request.operation == "state" or "at" not in request.content():
            request.if_match = history.tag
        return request

    def draw_fork(self, history: History) -> Request:
        request = super().draw_fork(history)
        request.if_match = history.tag
        return request

    def at(self, history: History) -> int | None:
        return history.expected.step if self.random.random() < 0.5 else None

    async def ask(self, request: Request) -> Answer:
        await self.abandon_some(request)
        return await super().ask(request)


class NumberedWriter(KeyedWriter):
    """Numbers its keys, and says nothing of where the session has to be; gives attempts up early.

    However late an attempt arrives, its number says that it was applied.
    """

    patience_seconds = IMPATIENT_SECONDS

    def __init__(self, world: World, engine: Engine, random: Random) -> None:
        super().__init__(world, engine, random)
        self._numbers = Numbers(random)
        self._earlier: list[Request] = []

    def draw(self, history: History) -> Request:
        request = super().draw(history)
        request.key = self._numbers.next()
        self._earlier.append(request)
        return request

    async def ask(self, request: Request) -> Answer:
        await self.abandon_some(request)
        return await super().ask(request)

    async def repeat_late(self, history: History) -> None:
        """Any of its requests again, be it the first."""
        forgotten = self._earlier[:-KEPT_RECEIPTS]
        if not forgotten or self.random.random() < 0.5:
            await super().repeat_late(history)
            return
        request = self.random.choice(forgotten)
        self.world.figures.late_retries += 1
        answer = await self.client.ask(request)
        if answer.code != NOT_KEPT:
            raise history.mismatch(f"{refusal(request, answer)}; newer ones were applied")
        self.world.figures.not_kept += 1
