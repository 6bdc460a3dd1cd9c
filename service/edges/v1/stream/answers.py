"""Answers of a stream: JSON messages, and binary frames that hold many answers each."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from struct import pack
from typing import Any

import numpy as np
import orjson

from service.bundle.manifest import Manifest
from service.edges.http.json import to_json
from service.edges.http.problems import answer_error
from service.edges.v1.step_bodies import described_fields
from service.edges.v1.stream.blocks import GATES, HEADER, padded
from service.edges.v1.stream.pending import Done, Finished, Frame
from service.errors import OutputNotReady
from service.sessions.answers import Answered, Answers

STEPPED = 0x81
FAILED = 0x82
REPLAYED = 2
"""A flag of answers: an earlier try of the request was applied, and this is its answer."""

FRAME_BYTES = 256 * 1024
"""From here on, answers that are ready go into another frame."""


@dataclass(slots=True, eq=False)
class _Piece:
    """Answers to neighbouring records as a part of a block: n of them."""

    ids: Sequence[int]
    handles: Sequence[int]
    answers: Answers

    @property
    def shape(self) -> tuple[int, int, int, int, bool]:
        """What answers of one block have in common: T, O, G and the number of gate tensors (0
        without gates), replayed."""
        columns = self.answers.columns
        time, width = columns.outputs.shape[1:]
        tensors = () if columns.gates is None else columns.gates.tensors
        gates = tensors[0].shape[-1] if tensors else 0
        return time, width, gates, len(tensors), columns.replayed

    @property
    def record_bytes(self) -> int:
        time, width, gates, tensors, _ = self.shape
        return 28 + 4 * time * (width + tensors * gates)

    def split(self) -> "Iterator[_Piece]":
        """As many answers at a time as a frame has room for."""
        count = max(1, FRAME_BYTES // self.record_bytes)
        if count >= len(self.ids):
            yield self
            return
        for begin in range(0, len(self.ids), count):
            end = min(begin + count, len(self.ids))
            yield _Piece(
                self.ids[begin:end], self.handles[begin:end], self.answers.only(begin, end)
            )


def render(finished: Sequence[Finished]) -> list[str | bytes]:
    """Frames in the order of the answers; neighbours that came as records share one."""
    frames: list[str | bytes] = []
    for binary, run in groupby(finished, key=_is_records):
        if binary:
            frames += _binary_frames(_pieces(run))
        else:
            frames += [one.content if isinstance(one, Frame) else step_text(one) for one in run]
    return frames


def step_text(done: Done) -> str:
    """The answer to a `step` message."""
    steps, outcome = done.steps, done.outcome
    error = outcome if isinstance(outcome, Exception) else None
    if isinstance(outcome, Answered) and outcome.failures:
        ((_, error),) = outcome.failures
    if error is not None:
        return error_text(steps.message_id, steps.opened[0].session_id, error)
    assert isinstance(outcome, Answered) and steps.message is not None
    (answers,) = outcome.answers
    (fields,) = described_fields(answers, steps.message.gates)
    named = b"" if steps.message_id is None else b'"id":%b,' % to_json(steps.message_id)
    return (b'{"type":"step",%b%b}' % (named, fields)).decode()


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


def _pieces(finished: Iterable[Finished]) -> Iterator[_Piece | bytes]:
    """Answers, and error blocks that are rendered already."""
    for done in finished:
        assert isinstance(done, Done)
        records, outcome = done.steps.records, done.outcome
        assert records is not None
        if isinstance(outcome, Exception):
            outcome = Answered(failures=[(row, outcome) for row in done.rows])
        for answers in outcome.answers:
            ids = [records.ids[row] for row in answers.rows]
            handles = [records.handles[row] for row in answers.rows]
            piece = _Piece(ids, handles, answers)
            if answers.columns.manifest.ready_at == 1:
                yield from piece.split()
            else:
                yield from _ready_only(piece)
        for row, error in outcome.failures:
            yield error_block(records.ids[row], records.handles[row], error)


def _ready_only(piece: _Piece) -> Iterator[_Piece | bytes]:
    """Numbers cannot say that there is no answer yet: such records are answered by an error."""
    columns = piece.answers.columns
    for at, (record_id, handle) in enumerate(zip(piece.ids, piece.handles, strict=True)):
        row = piece.answers.begin + at
        if np.isnan(columns.outputs[row]).any():
            yield error_block(record_id, handle, not_ready(columns.manifest, columns.steps[row]))
        else:
            yield _Piece([record_id], [handle], piece.answers.only(at, at + 1))


def not_ready(manifest: Manifest, step: int) -> OutputNotReady:
    return OutputNotReady(
        f"the steps were applied, the session is at step {step}; this model answers from step "
        f"{manifest.ready_at} on"
    )


def _binary_frames(pieces: Iterable[_Piece | bytes]) -> Iterator[bytes]:
    blocks: list[bytes] = []
    size = 0
    for block in _blocks(pieces):
        if blocks and size + len(block) > FRAME_BYTES:
            yield b"".join(blocks)
            blocks, size = [], 0
        blocks.append(block)
        size += len(block)
    if blocks:
        yield blocks[0] if len(blocks) == 1 else b"".join(blocks)


def _blocks(pieces: Iterable[_Piece | bytes]) -> Iterator[bytes]:
    """Neighbours of one shape share a block, as long as it fits a frame."""
    alike: list[_Piece] = []
    size = 0
    for piece in pieces:
        more = 0 if isinstance(piece, bytes) else len(piece.ids) * piece.record_bytes
        if alike and (
            isinstance(piece, bytes) or piece.shape != alike[0].shape or size + more > FRAME_BYTES
        ):
            yield _block(alike)
            alike, size = [], 0
        if isinstance(piece, bytes):
            yield piece
        else:
            alike.append(piece)
            size += more
    if alike:
        yield _block(alike)


def _block(pieces: Sequence[_Piece]) -> bytes:
    time, width, gates, _, replayed = pieces[0].shape
    ids = [record_id for piece in pieces for record_id in piece.ids]
    handles = [handle for piece in pieces for handle in piece.handles]
    columns = [(piece.answers.columns, piece.answers.span) for piece in pieces]
    count = len(ids)
    plain = HEADER.size + count * pieces[0].record_bytes
    size = padded(plain)
    flags = (gates > 0) * GATES + replayed * REPLAYED
    return b"".join(
        [
            HEADER.pack(STEPPED, flags, 0, size, count, time, width, gates),
            pack(f"<{count}Q", *ids),
            pack(f"<{count}Q", *[step for one, some in columns for step in one.steps[some]]),
            pack(f"<{count}Q", *[tag for one, some in columns for tag in one.revisions[some]]),
            *[one.outputs[some].tobytes() for one, some in columns],
            *[
                np.stack(one.gates.of_row(some).tensors, axis=1).tobytes()
                for one, some in columns
                if one.gates
            ],
            pack(f"<{count}I", *handles),
            bytes(size - plain),
        ]
    )


def _is_records(finished: Finished) -> bool:
    return isinstance(finished, Done) and finished.steps.records is not None


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
