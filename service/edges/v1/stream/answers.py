"""Answers of a stream: JSON messages, and binary frames that hold many answers each."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from struct import pack
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from service.edges.http.conditions import etag
from service.edges.http.json import to_json
from service.edges.http.problems import answer_error
from service.edges.v1.step_bodies import render_steps
from service.edges.v1.stream.blocks import GATES, HEADER, padded
from service.edges.v1.stream.pending import Finished, Frame, PendingStep
from service.engine.engine import Gates
from service.sessions.answers import Answer

STEPPED = 0x81
FAILED = 0x82
REPLAYED = 2
"""A flag of answers: an earlier try of the request was applied, and this is its answer."""

FRAME_BYTES = 256 * 1024
"""From here on, answers that are ready go into another frame."""

_Shape = tuple[int, int, bool, bool, int] | None


def render(finished: Sequence[Finished]) -> list[str | bytes]:
    """Frames in the order of the answers; neighbours that came as records share one."""
    frames: list[str | bytes] = []
    for binary, run in groupby(finished, key=_is_record):
        if binary:
            frames += _binary_frames([one for one in run if isinstance(one, PendingStep)])
        else:
            frames += [one.content if isinstance(one, Frame) else step_text(one) for one in run]
    return frames


def step_text(step: PendingStep) -> str:
    """The answer to a `step` message."""
    outcome = step.outcome
    if not isinstance(outcome, Answer) or step.message is None:
        return error_text(step.id, step.opened.session_id, _failure(step))
    more: dict[str, Any] = {"etag": etag(outcome.revision)}
    if outcome.replayed:
        more["replayed"] = True
    fields = render_steps(outcome, step.message.gates)
    return to_json({"type": "step", **_identity(step.id), **fields, **more}).decode()


def error_text(message_id: int | str | None, session_id: str | None, error: Exception) -> str:
    """An error as a message; `problem` is what HTTP would have answered."""
    about = {} if session_id is None else {"session_id": session_id}
    fields = {"type": "error", **_identity(message_id), **about, "problem": _problem(error)}
    return orjson.dumps(fields).decode()


def error_block(record_id: int, handle: int, error: Exception) -> bytes:
    """The block that answers a record, or with the id and handle 0 a whole frame."""
    problem = _problem(error)
    content = orjson.dumps(problem)
    size = padded(HEADER.size + 12 + len(content))
    head = HEADER.pack(FAILED, 0, problem["status"], size, 1, 0, len(content), 0)
    return (head + pack("<QI", record_id, handle) + content).ljust(size, b"\0")


def _binary_frames(steps: Sequence[PendingStep]) -> Iterator[bytes]:
    blocks: list[bytes] = []
    size = 0
    for shape, run in groupby(steps, key=_shape):
        for some in _chunks(list(run), shape):
            block = _block(some, shape)
            if blocks and size + len(block) > FRAME_BYTES:
                yield b"".join(blocks)
                blocks, size = [], 0
            blocks.append(block)
            size += len(block)
    if blocks:
        yield blocks[0] if len(blocks) == 1 else b"".join(blocks)


def _shape(step: PendingStep) -> _Shape:
    """What answers of one block have in common: T, O, gates, replayed, S. None for an error."""
    answer = step.outcome
    if not isinstance(answer, Answer):
        return None
    outputs, gates = answer.result.outputs, answer.result.gates
    state_size = 0 if gates is None else gates.hidden.shape[-1]
    return (*outputs.shape, gates is not None, answer.replayed, state_size)


def _chunks(steps: list[PendingStep], shape: _Shape) -> Iterator[list[PendingStep]]:
    """Errors one by one, answers as many at a time as a frame has room for."""
    count = 1
    if shape is not None:
        time, width, _, _, state_size = shape
        count = max(1, FRAME_BYTES // (28 + 4 * time * (width + 4 * state_size)))
    for begin in range(0, len(steps), count):
        yield steps[begin : begin + count]


def _block(steps: list[PendingStep], shape: _Shape) -> bytes:
    if shape is None:
        return error_block(_number(steps[0]), steps[0].opened.handle, _failure(steps[0]))
    time, width, gates, replayed, state_size = shape
    answers = [step.outcome for step in steps if isinstance(step.outcome, Answer)]
    count = len(answers)
    plain = HEADER.size + count * (28 + 4 * time * (width + 4 * state_size))
    size = padded(plain)
    flags = gates * GATES + replayed * REPLAYED
    return b"".join(
        [
            HEADER.pack(STEPPED, flags, 0, size, count, time, width, state_size),
            pack(f"<{count}Q", *map(_number, steps)),
            pack(f"<{count}Q", *[answer.step for answer in answers]),
            pack(f"<{count}Q", *[answer.revision for answer in answers]),
            *[np.ascontiguousarray(answer.result.outputs).data for answer in answers],
            *[tensor.data for answer in answers for tensor in _gates(answer.result.gates)],
            pack(f"<{count}I", *[step.opened.handle for step in steps]),
            bytes(size - plain),
        ]
    )


def _gates(gates: Gates | None) -> list[NDArray[np.float32]]:
    if gates is None:
        return []
    tensors = (gates.reset, gates.update, gates.candidate, gates.hidden)
    return [np.ascontiguousarray(tensor) for tensor in tensors]


def _is_record(finished: Finished) -> bool:
    return isinstance(finished, PendingStep) and finished.message is None


def _number(step: PendingStep) -> int:
    """The id of a record."""
    assert isinstance(step.id, int)
    return step.id


def _failure(step: PendingStep) -> Exception:
    assert isinstance(step.outcome, Exception)
    return step.outcome


def _identity(message_id: int | str | None) -> dict[str, int | str]:
    return {} if message_id is None else {"id": message_id}


def _problem(error: Exception) -> dict[str, Any]:
    """The problem details, and what stands in HTTP's headers besides."""
    answered = answer_error(error)
    problem: dict[str, Any] = orjson.loads(answered.body)
    if "retry-after" in answered.headers:
        problem["retry_after"] = int(answered.headers["retry-after"])
    if "etag" in answered.headers:
        problem["etag"] = answered.headers["etag"]
    return problem
