"""One session as its writers know it: what was applied, in which order, and whether it is right."""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.engine.engine import Engine
from service.sessions.receipts import KEPT_ANSWER_BYTES, KEPT_RECEIPTS
from tests.faults.figures import Figures
from tests.faults.http_connection import Answer
from tests.faults.requests import Request
from tests.faults.undisturbed import Undisturbed, difference, numbers_of, same_bits

_SHOWN = 30


class Mismatch(Exception):
    """A session that is not what the undisturbed run makes of it."""


@dataclass(frozen=True, slots=True)
class Applied:
    """A request that was applied. `answer` is None where it was lost for good."""

    request: Request
    answer: Answer | None


@dataclass(frozen=True, slots=True)
class Kept:
    """A keyed request and its answer; `size` is that of the numbers in it, in bytes."""

    applied: Applied
    size: int


class History:
    """Takes answers in any order, and checks them in the order of their steps.

    Every request but one that puts a state takes time steps, and begins where another one ended:
    so a gap is a change that nobody asked for or that was applied twice, and two that begin at one
    step are a change that was lost. Whoever puts a state writes alone, one request after the other.
    """

    def __init__(
        self,
        made_by: Request,
        answer: Answer,
        engine: Engine,
        figures: Figures,
        *,
        state: NDArray[np.float32],
        step: int = 0,
    ) -> None:
        made = answer.content()
        self.session_id: str = made["session_id"]
        self.model: str = made["model"]
        self.tag = answer.etag
        """The entity tag after the latest request that was checked; None where it was lost."""
        self.expected = Undisturbed(engine, state.copy(), step)
        self.kept: deque[Kept] = deque(maxlen=KEPT_RECEIPTS)
        self.gone = False
        """Whether its store has lost it altogether."""
        self.figures = figures
        self._tags = {answer.etag}
        self._waiting: dict[int, Applied] = {}
        """Those that wait for others before them, by the step at which they begin."""
        self._checked: deque[str] = deque(maxlen=_SHOWN)
        self.made = Applied(made_by, answer)
        self._note(made_by, answer)
        figures.sessions += 1
        if made["step"] != step:
            raise self.mismatch(f"begins at step {made['step']}, expected {step}")

    def add(self, request: Request, answer: Answer) -> None:
        """A request that was answered."""
        applied = Applied(request, answer)
        if answer.etag is None or answer.etag in self._tags:
            raise self.mismatch(f"two changes have the tag {answer.etag}: {_line(applied)}")
        self._tags.add(answer.etag)
        if request.operation == "state":
            self.finish()
            self._take(applied)
        else:
            self._place(applied, answer.content()["step"] - request.consumes)

    def add_lost(self, request: Request, step: int) -> None:
        """A request that brought the session to this step, but whose answer is lost for good."""
        self._place(Applied(request, None), step - request.consumes)

    def finish(self) -> None:
        """When all writers are done: no step may be missing."""
        if self._waiting:
            first = self._waiting[min(self._waiting)]
            raise self.mismatch(
                f"something changed it after step {self.expected.step} that no answer accounts "
                f"for; the next one known is {_line(first)}"
            )

    def look(self, _answer: Answer) -> None:
        """What somebody was shown of it at the end, before that is compared."""

    def is_surely_kept(self, index: int) -> bool:
        """Whether the answer to `kept[index]` must still be there."""
        sizes = [kept.size for kept in list(self.kept)[index:]]
        if sizes[0] > KEPT_ANSWER_BYTES:
            return len(sizes) == 1
        state_bytes = 4 * self.expected.engine.manifest.state_size
        held = (size if size <= KEPT_ANSWER_BYTES else state_bytes for size in sizes)
        return sum(held) <= KEPT_ANSWER_BYTES

    def mismatch(self, reason: str) -> Mismatch:
        """The error, with the latest requests and every attempt at each of them."""
        requests = "\n".join(self._checked)
        return Mismatch(
            f"session {self.session_id} of {self.model}: {reason}\n"
            f"its latest requests, oldest first:\n{requests}"
        )

    def _place(self, applied: Applied, begin: int) -> None:
        if begin < self.expected.step or begin in self._waiting:
            raise self.mismatch(f"two changes begin at step {begin}: {_line(applied)}")
        self._waiting[begin] = applied
        while (following := self._waiting.pop(self.expected.step, None)) is not None:
            self._take(following)

    def _take(self, following: Applied) -> None:
        self._check_place(following)
        self.tag = None if following.answer is None else following.answer.etag
        self._check(following)

    def _check_place(self, applied: Applied) -> None:
        """Whether the session was where the request wanted it."""
        at = applied.request.content().get("at", self.expected.step)
        matching = self.tag is None or applied.request.if_match in (None, self.tag)
        if at != self.expected.step or not matching:
            raise self.mismatch(
                f"at step {self.expected.step}, {self.tag}, this was applied: {_line(applied)}"
            )

    def _check(self, applied: Applied) -> None:
        request, answer = applied.request, applied.answer
        answered = {} if answer is None else answer.content()
        expected = self.expected.apply(request, answered)
        self._note(request, answer)
        self.figures.steps += request.consumes
        self.figures.requests[request.operation] += 1
        if request.key is not None:
            size = 0 if request.operation == "state" else sum(x.nbytes for x in expected.values())
            self.kept.append(Kept(applied, size))
        if answer is None:
            return
        found = numbers_of(answered)
        wrong = difference(found, expected)
        if answered["step"] != self.expected.step:
            wrong = f"says step {answered['step']}, expected {self.expected.step}"
        if answered["session_id"] != self.session_id:
            wrong = f"is about session {answered['session_id']}"
        if wrong is not None:
            raise self.mismatch(f"the answer to the last request {wrong}")
        self.figures.answers_compared += 1
        self.figures.answers_equal += same_bits(found, expected)

    def _note(self, request: Request, answer: Answer | None) -> None:
        self._checked.append(f"  {_line(Applied(request, answer))}")


def _line(applied: Applied) -> str:
    request, answer = applied.request, applied.answer
    attempts = "; ".join(request.attempts)
    if answer is None:
        return f"{request}: applied, answer lost [{attempts}]"
    step = answer.content().get("step")
    replayed = ", replayed" if answer.replayed else ""
    return f"{request}: step {step}, tag {answer.etag}{replayed} [{attempts}]"
