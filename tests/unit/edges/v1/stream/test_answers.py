"""Answers in frames: nothing overtakes its like, no frame grows without bound."""

import numpy as np

from service.edges.v1.stream.answers import FRAME_BYTES, render
from service.edges.v1.stream.opened import Opened
from service.edges.v1.stream.pending import Frame, PendingStep
from service.errors import SessionNotFound
from service.repository.models import Models
from service.sessions.answers import Answer, Result
from tests.e2e.streams import parse

OPENED = Opened("s", 3, 1, 1)


def _answered(models: Models, number: int, time: int) -> PendingStep:
    manifest = models.latest("weather").manifest
    result = Result(np.full((time, 3), number, np.float32), None)
    answer = Answer("s", manifest, number, 2**63, result)
    return PendingStep(number, OPENED, 0, keyed=False, outcome=answer)


def test_neighbours_share_a_frame_and_keep_their_order(models: Models) -> None:
    steps = [_answered(models, number, 1 + number % 3) for number in range(7)]
    steps[3].outcome = SessionNotFound("s")
    frames = render([*steps[:5], Frame("text"), *steps[5:]])
    assert [type(frame) for frame in frames] == [bytes, str, bytes]
    found = [record for frame in frames if isinstance(frame, bytes) for record in parse(frame)]
    assert [record.id for record in found] == list(range(7))
    assert [record.problem is not None for record in found] == [n == 3 for n in range(7)]
    assert {record.revision for record in found} == {2**63, 0}


def test_many_answers_take_several_frames(models: Models) -> None:
    steps = [_answered(models, number, 1000) for number in range(100)]
    frames = [frame for frame in render(steps) if isinstance(frame, bytes)]
    assert len(frames) > 2
    assert max(map(len, frames)) < FRAME_BYTES + 1000
    assert [record.id for frame in frames for record in parse(frame)] == list(range(100))


def test_one_long_answer_takes_one_frame(models: Models) -> None:
    [frame] = render([_answered(models, 1, 100_000)])
    assert len(frame) > FRAME_BYTES
