"""Answers in frames: nothing overtakes its like, no frame grows without bound."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from service.edges.v1.stream.answers import FRAME_BYTES, render
from service.edges.v1.stream.blocks import Block
from service.edges.v1.stream.opened import Opened
from service.edges.v1.stream.pending import Done, Frame, PendingSteps
from service.engine.engine import Gates
from service.errors import SessionNotFound
from service.repository.models import Models
from service.sessions.answers import AnswerColumns, Answered, Answers
from service.stores.store import Identity
from tests.e2e.streams import parse

OPENED = Opened(Identity("", "s"), 3, 1, 1)


class Nobody:
    def on_steps(self, done: Done) -> None:
        raise AssertionError(done)


def _done(numbers: Sequence[int], outcome: Answered | Exception) -> Done:
    """What came of a block of records with these ids."""
    count = len(numbers)
    records = Block(
        np.zeros((count, 1, 1)), tuple(numbers), (3,) * count, None, gates=False, keyed=False
    )
    pending = PendingSteps(Nobody(), [OPENED] * count, 0, keyed=False, records=records)
    return Done(pending, range(count), outcome)


def _answered(models: Models, time: int, *numbers: int, gates: bool = False) -> Done:
    """Each with its id as its step, its outputs and its gates."""
    count = len(numbers)
    columns = np.array(numbers)
    outputs = np.repeat(columns, 3 * time).reshape(count, time, 3).astype(np.float32)
    names = ("reset", "update", "candidate", "hidden")
    tensors = tuple(outputs[:, :, :2] + part / 8 for part in range(4))
    shown = Gates(names, tensors) if gates else None
    answers = AnswerColumns(
        [OPENED.identity] * count,
        models.default("weather").manifest,
        numbers,
        [2**62] * count,
        outputs,
        shown,
    )
    return _done(numbers, Answered([Answers(range(count), answers, 0, count)]))


def test_neighbours_share_a_frame_and_keep_their_order(models: Models) -> None:
    steps = [_answered(models, 1 + number % 3, number) for number in range(7)]
    steps[3] = _done([3], SessionNotFound("s"))
    frames = render([*steps[:5], Frame("text"), *steps[5:]])
    assert [type(frame) for frame in frames] == [bytes, str, bytes]
    found = [record for frame in frames if isinstance(frame, bytes) for record in parse(frame)]
    assert [record.id for record in found] == list(range(7))
    assert [record.problem is not None for record in found] == [n == 3 for n in range(7)]
    assert {record.revision for record in found} == {2**62, 0}


def test_many_answers_take_several_frames(models: Models) -> None:
    steps = [_answered(models, 1000, number) for number in range(100)]
    frames = [frame for frame in render(steps) if isinstance(frame, bytes)]
    assert len(frames) > 2
    assert max(map(len, frames)) < FRAME_BYTES + 1000
    assert [record.id for frame in frames for record in parse(frame)] == list(range(100))


def test_one_long_answer_takes_one_frame(models: Models) -> None:
    [frame] = render([_answered(models, 100_000, 1)])
    assert len(frame) > FRAME_BYTES


def test_a_block_of_many_takes_several_frames_in_order(models: Models) -> None:
    frames = render([_answered(models, 100, *range(1000), gates=True), Frame("text")])
    assert len(frames) > 3
    found = [record for frame in frames if isinstance(frame, bytes) for record in parse(frame)]
    assert [record.id for record in found] == [record.step for record in found] == list(range(1000))
    for record in found:
        assert record.gates is not None
        assert (record.gates[:, 0, 0] % 1).tolist() == [0, 1 / 8, 2 / 8, 3 / 8]


def test_one_that_failed_in_a_block(models: Models) -> None:
    """Its neighbours are answered as a block, it by its problem."""
    done = _answered(models, 1, 5, 6, 7)
    assert isinstance(done.outcome, Answered)
    (answers,) = done.outcome.answers
    others = Answered([answers.only(1, 3)], [(0, SessionNotFound("s"))])
    (frame,) = render([Done(done.steps, done.rows, others)])
    assert isinstance(frame, bytes)
    assert [(one.id, one.problem is None) for one in parse(frame)] == [
        (6, True),
        (7, True),
        (5, False),
    ]


def test_answers_that_come_in_another_order_than_their_records(models: Models) -> None:
    """Sessions that had to be read may come behind those that were known."""
    done = _answered(models, 1, 7, 5, 6)
    assert isinstance(done.outcome, Answered)
    (answers,) = done.outcome.answers
    done.outcome.answers[0] = replace(answers, rows=[2, 0, 1])
    (frame,) = render([done])
    assert isinstance(frame, bytes)
    assert [(one.id, one.step) for one in parse(frame)] == [(6, 7), (7, 5), (5, 6)]
