"""A session in a store that may come back with an older file."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine.engine import Engine
from tests.faults.figures import Figures
from tests.faults.history import Applied, History
from tests.faults.http_connection import Answer
from tests.faults.requests import Request


class Point(NamedTuple):
    """Where the session was after a request: the state [S], and when the request was sent first
    and answered."""

    step: int
    state: NDArray[np.float32]
    sent_at: float
    answered_at: float


class FallenHistory(History):
    """Goes back to where it was before, where a store has lost the rest of it and may have."""

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
        super().__init__(made_by, answer, engine, figures, state=state, step=step)
        self._points = [self._point(made_by)]
        self._been = {step}

    def knows(self, step: int) -> bool:
        """Whether it was there, be it in a past that is lost."""
        return step in self._been

    def fall_back(self, step: int, noticed: str) -> None:
        """Only what may have been lost is gone. Raises Mismatch."""
        kept = [point for point in self._points if point.step <= step]
        if not kept or kept[-1].step != step:
            raise self.mismatch(f"it fell back to step {step}, at which it never was")
        self._check_lost(self._points[len(kept) :])
        if len(kept) < len(self._points):
            self.figures.fell_back[noticed] += 1
        self._points = kept
        self.expected.step, self.expected.state = step, kept[-1].state
        self.kept.clear()
        # Whoever noticed it first has marked the session, which is a change.
        self.tag = None

    def lose(self) -> None:
        """All of it is gone. Raises Mismatch."""
        self._check_lost(self._points)
        self.gone = True
        self.figures.lost += 1
        self.figures.fell_back["gone altogether"] += 1

    def look(self, answer: Answer) -> None:
        if answer.status == 404:
            self.lose()
        elif answer.status == 200 and self.figures.restores:
            self.fall_back(answer.content()["step"], "seen at the end")

    def _check(self, applied: Applied) -> None:
        super()._check(applied)
        self._points.append(self._point(applied.request))
        self._been.add(self.expected.step)

    def _point(self, request: Request) -> Point:
        assert request.first_sent is not None
        expected = self.expected
        return Point(expected.step, expected.state, request.first_sent, self.figures.seconds)

    def _check_lost(self, points: list[Point]) -> None:
        for point in points:
            if not any(
                restore.saved_at < point.answered_at and point.sent_at < restore.started_at
                for restore in self.figures.restores
            ):
                raise self.mismatch(
                    f"step {point.step} is gone, which was asked for at {point.sent_at:.3f} s and "
                    f"answered at {point.answered_at:.3f} s; the store was put back: "
                    f"{self.figures.restores}"
                )
