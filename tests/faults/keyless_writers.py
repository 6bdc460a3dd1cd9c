"""Writers that have a session to themselves, and no keys."""

from tests.faults.history import History
from tests.faults.http_connection import Answer
from tests.faults.requests import Request
from tests.faults.writer import IMPATIENT_SECONDS, PATIENT_SECONDS, Writer, refusal


class CountingWriter(Writer):
    """The count of steps says whether a request was applied whose answer is lost."""

    patience_seconds = IMPATIENT_SECONDS

    async def write_one(self, history: History) -> None:
        step = history.expected.step
        request = self.draw(history, at=step)
        answer = await self.client.ask(request)
        if answer.status == 200:
            history.add(request, answer)
        elif _step_found(answer) == step + request.consumes:
            history.add_lost(request, step + request.consumes)
        else:
            raise history.mismatch(refusal(request, answer))

    def draw(self, history: History, *, at: int | None) -> Request:
        request = self.maker.steps(history.session_id, at=at)
        request.key = None
        return request


class FreeWriter(CountingWriter):
    """Sends each request once, with nothing to tell an attempt from another one.

    Whatever becomes of an attempt, it is applied at most once; and not at all where the service
    says that nothing was changed.
    """

    patience_seconds = PATIENT_SECONDS

    async def write_one(self, history: History) -> None:
        request = self.draw(history, at=None)
        outcome = await self.client.attempt(request)
        if isinstance(outcome, Answer) and outcome.status == 200:
            history.add(request, outcome)
        elif isinstance(outcome, Answer) and outcome.status < 500:
            raise history.mismatch(refusal(request, outcome))
        else:
            self.world.figures.unknown += 1
            unchanged = isinstance(outcome, Answer) and outcome.code != "commit_unknown"
            await self._find_out(history, request, unchanged=unchanged)

    async def _find_out(self, history: History, request: Request, *, unchanged: bool) -> None:
        """A request that is applied only where the one before was not."""
        step = history.expected.step
        probe = self.draw(history, at=step)
        while probe.consumes == request.consumes:
            probe = self.draw(history, at=step)
        answer = await self.client.ask(probe)
        found = _step_found(answer)
        if answer.status == 200:
            history.add(probe, answer)
        elif found == step + probe.consumes:
            history.add_lost(probe, found)
        elif found == step + request.consumes and not unchanged:
            history.add_lost(request, found)
        else:
            raise history.mismatch(
                f"{refusal(probe, answer)}; before, {request}: {request.attempts}"
            )


def _step_found(answer: Answer) -> int | None:
    """Where the session is, if not where a request wanted it."""
    return int(answer.content()["step"]) if answer.code == "step_conflict" else None
