"""A writer whose store may come back with an older file."""

from random import Random

from service.engine.engine import Engine
from tests.faults.fallen_history import FallenHistory
from tests.faults.history import History
from tests.faults.http_connection import Answer
from tests.faults.requests import Numbers, Request, read_state
from tests.faults.writer import World, Writer, check_stored, refusal

_MOVED = ("session_fell_back", "step_conflict", "writer_unknown")


class FallenWriter(Writer):
    """The only writer of its session, with numbered keys and mostly no conditions.

    Told that the session fell back, it looks where that is, and goes on from there with `at`.
    """

    history_type = FallenHistory

    def __init__(self, world: World, engine: Engine, random: Random) -> None:
        super().__init__(world, engine, random)
        self._numbers = Numbers(random)
        self._looked = False

    async def write_one(self, history: History) -> None:
        assert isinstance(history, FallenHistory)
        request = self._draw(history)
        answer = await self.client.ask(request)
        if answer.status == 200:
            self._applied(history, request, answer)
        elif answer.status == 404:
            history.lose()
        elif answer.code in _MOVED:
            self._check_refusal(history, request, answer)
            await self._look(history, answer)
        else:
            raise history.mismatch(refusal(request, answer))

    def _draw(self, history: FallenHistory) -> Request:
        """With `at` where it has just looked; and now and then besides."""
        at = history.expected.step if self._looked or self.random.random() < 0.1 else None
        self._looked = False
        make = self.maker.rollout if self.random.random() < 0.1 else self.maker.steps
        request = make(history.session_id, at=at)
        request.key = self._numbers.next()
        return request

    def _applied(self, history: FallenHistory, request: Request, answer: Answer) -> None:
        """Where no service had a copy of what was lost, the answer alone says from where it went
        on."""
        begun_at = answer.content()["step"] - request.consumes
        if begun_at != history.expected.step:
            history.fall_back(begun_at, "by the next answer")
        history.add(request, answer)
        history.finish()

    def _check_refusal(self, history: FallenHistory, request: Request, answer: Answer) -> None:
        if answer.code == "writer_unknown":
            self._numbers.begin()
        if answer.code != "session_fell_back":
            return
        # The last try may have been applied, and lost before it was answered.
        lost_step = answer.content()["lost_step"]
        unanswered = history.expected.step + request.consumes
        if not (history.knows(lost_step) or lost_step == unanswered):
            raise history.mismatch(f"{refusal(request, answer)}: it was never at {lost_step}")
        if "at" in request.content():
            raise history.mismatch(f"{refusal(request, answer)}: it names the state")

    async def _look(self, history: FallenHistory, refused: Answer) -> None:
        answer = await self.client.ask(read_state(history.session_id))
        if answer.status == 404:
            history.lose()
            return
        history.fall_back(answer.content()["step"], f"by {refused.code}")
        check_stored(history, answer)
        self._looked = True
