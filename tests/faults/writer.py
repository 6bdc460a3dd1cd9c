"""Those who write to sessions, each in a way in which real clients do.

| writer | how |
|---|---|
| KeyedWriter | alone, every request with a key; waits for as long as an attempt may take |
| GuardedWriter | likewise, and says where the session has to be (`at` or `If-Match`); impatient |
| CountingWriter | alone, without keys: `at`, and where an answer is lost the count tells |
| FreeWriter | alone, with neither: what is not answered was applied once or not at all |
| NumberedWriter | alone, with numbered keys and no conditions; late without any bound |
| SharingWriter | two of them, with keys; the order is whatever the answers say |
| NumberedSharingWriter | likewise, with numbered keys; impatient |
| ContestingWriter | two of them, with keys, each only where it believes the session to be |

The impatient ones give an attempt up while it may still be under way. It may arrive much later,
when newer requests have pushed its receipt out; that it then moves nothing is due to its condition,
or to its number.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, ClassVar

from service.engine.engine import Engine
from tests.faults.client import Client
from tests.faults.figures import Figures
from tests.faults.history import History
from tests.faults.http_connection import Answer
from tests.faults.requests import Request, RequestMaker
from tests.faults.undisturbed import difference, numbers_of

PATIENT_SECONDS = 30.0
IMPATIENT_SECONDS = 1.0
NOT_KEPT = "answer_not_kept"


@dataclass
class World:
    """What all writers have in common."""

    lanes: Sequence[int]
    figures: Figures
    is_over: Callable[[], bool]
    spawn: Callable[[Coroutine[Any, Any, None]], object]
    histories: list[History] = field(default_factory=list)


class Writer(ABC):
    """Writes requests to one session, one after the other."""

    patience_seconds: ClassVar[float] = PATIENT_SECONDS
    history_type: ClassVar[type[History]] = History
    shares: ClassVar[bool] = False
    """Whether others write to the same session, and push answers out before they are seen."""

    def __init__(self, world: World, engine: Engine, random: Random) -> None:
        self.world = world
        self.engine = engine
        self.random = random
        self.maker = RequestMaker(engine, random)
        self.client, self._twin = (
            Client(
                world.lanes,
                Random(random.random()),
                world.figures,
                self.patience_seconds,
                waits_on=self.patience_seconds < PATIENT_SECONDS,
            )
            for _ in range(2)
        )

    async def write(self, history: History, requests: int) -> None:
        """So many requests, or until the run is over."""
        try:
            for _ in range(requests):
                if self.world.is_over() or history.gone:
                    break
                await self.write_one(history)
        finally:
            self.client.close()
            self._twin.close()

    @abstractmethod
    async def write_one(self, history: History) -> None:
        """Draw a request, have it answered, and tell the history."""

    async def begin(self) -> History:
        """A new session."""
        request = self.maker.create()
        answer = await self.ask(request)
        engine = self.engine
        given = request.content().get("state")
        state = (
            engine.initial_states(1)[0] if given is None else numbers_of({"state": given})["state"]
        )
        history = self.history_type(request, answer, engine, self.world.figures, state=state)
        self.world.histories.append(history)
        return history

    async def abandon_some(self, request: Request) -> None:
        """Send it, and be gone before the answer comes; mostly not at all."""
        for _ in range(self.random.choices([0, 1, 2], [90, 8, 2])[0]):
            await self.client.abandon(request)

    async def ask(self, request: Request) -> Answer:
        """The answer; now and then of one of two that are under way at once."""
        if self.random.random() > 0.06:
            return await self.client.ask(request)
        self.world.figures.duplicates += 1
        both = await asyncio.gather(self.client.ask(request), self._twin.ask(request))
        one, other = sorted(both, key=lambda answer: answer.status)
        if one.status < 400 and other.code == NOT_KEPT and self.shares:
            return one
        # Refusals say where the session is by now.
        same = replace(one, replayed=other.replayed) == other if one.status < 400 else True
        if not same or one.code != other.code:
            raise AssertionError(f"two answers to {request}: {one}, {other}; {request.attempts}")
        if one.status < 400 and not (one.replayed or other.replayed):
            raise AssertionError(f"{request} was applied twice; {request.attempts}")
        return one


def check_stored(history: History, answer: Answer) -> None:
    """Whether the stored session is the undisturbed one. Raises Mismatch."""
    if answer.status != 200:
        raise history.mismatch(f"{answer!r} to a look at its state")
    stored, expected = answer.content(), history.expected
    if stored["step"] != expected.step or history.tag not in (None, answer.etag):
        raise history.mismatch(
            f"stored at step {stored['step']}, tag {answer.etag}; "
            f"expected step {expected.step}, tag {history.tag}"
        )
    wrong = difference(numbers_of(stored), {"state": expected.state})
    if wrong is not None:
        raise history.mismatch(f"its stored {wrong}")


def refusal(request: Request, answer: Answer) -> str:
    """For a mismatch: what was not to be refused, and how."""
    return f"{answer!r} to {request}: {request.attempts}"
