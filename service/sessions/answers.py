"""What steps gave, and how it is kept in a receipt.

Kept as bytes: the outputs, then where gates were asked for reset, update, candidate and hidden;
numbers of 4 bytes, row by row, little endian.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.bundle.manifest import Manifest
from service.engine.engine import Gates
from service.records import record
from service.sessions.changing import Kept
from service.sessions.damage import damaged
from service.sessions.receipts import KEPT_ANSWER_BYTES, Kind, Receipt
from service.stores.store import Identity, Session

_GATE_TENSORS = 4


@record
class Result:
    """What T time steps gave: outputs [N, O] float32 or [N] int32, and gates [T, S] each.

    N is T for plain steps; a rollout shows fewer outputs than the steps that it took.
    """

    outputs: NDArray[Any]
    gates: Gates | None


@record
class ResultShape:
    """How a result of one request is laid out, before and after its size is known."""

    dtype: type[np.generic]
    width: int
    """O, the numbers of one output."""
    state_size: int
    """S where gates belong to the result, else 0."""
    more_gates: int = 0
    """T − N."""

    def size(self, outputs: int) -> int:
        """Bytes of a result with N = `outputs`."""
        gates = _GATE_TENSORS * self.state_size * (outputs + self.more_gates)
        return 4 * (outputs * self.width + gates)

    def pack(self, result: Result) -> bytes:
        gates = result.gates
        tensors = gates.tensors if gates else ()
        return b"".join([result.outputs.tobytes(), *(tensor.tobytes() for tensor in tensors)])

    def unpack(self, content: bytes) -> Result:
        """The reverse of `pack`. Raises ValueError for bytes that are no such result."""
        gate_columns = _GATE_TENSORS * self.state_size
        numbers = len(content) // 4 - gate_columns * self.more_gates
        outputs = numbers // (self.width + gate_columns)
        if self.size(outputs) != len(content):
            raise ValueError(f"{len(content)} bytes are no {outputs} outputs")
        split = 4 * outputs * self.width
        shown = np.frombuffer(content[:split], self.dtype)
        if np.issubdtype(self.dtype, np.floating):
            shown = shown.reshape(outputs, self.width)
        if not self.state_size:
            return Result(shown, None)
        gates = np.frombuffer(content[split:], np.float32)
        return Result(shown, Gates(*gates.reshape(_GATE_TENSORS, -1, self.state_size)))


def shape_of_steps(manifest: Manifest, *, gates: bool) -> ResultShape:
    return ResultShape(np.float32, manifest.output.width, manifest.state_size if gates else 0)


@record
class Answer:
    """A result, and its session after it. `replayed` where an earlier try was applied."""

    session_id: str
    manifest: Manifest
    step: int
    revision: int
    result: Result
    replayed: bool = False

    @classmethod
    def after(cls, session: Session, manifest: Manifest, result: Result) -> "Answer":
        return cls(session.session_id, manifest, session.step, session.revision, result)

    @classmethod
    def again(
        cls, receipt: Receipt, session_id: str, manifest: Manifest, result: Result
    ) -> "Answer":
        """What the first try answered."""
        return cls(session_id, manifest, receipt.step, receipt.revision, result, replayed=True)


@record
class Answers:
    """The answers to n rows of a block as columns: the sessions' steps and revisions [n] after
    them, outputs [n, T, O], and gates [n, T, S] each. `replayed` as an `Answer` has it."""

    rows: Sequence[int]
    identities: Sequence[Identity]
    manifest: Manifest
    steps: NDArray[np.int64]
    revisions: NDArray[np.int64]
    outputs: NDArray[np.float32]
    gates: Gates | None
    replayed: bool = False

    @classmethod
    def again(cls, row: int, identity: Identity, answer: Answer) -> "Answers":
        """Of one row, whose answer is known."""
        gates = answer.result.gates
        return cls(
            (row,),
            (identity,),
            answer.manifest,
            np.array([answer.step]),
            np.array([answer.revision]),
            answer.result.outputs[np.newaxis],
            gates and Gates(*(tensor[np.newaxis] for tensor in gates.tensors)),
            replayed=True,
        )

    @property
    def time(self) -> int:
        """T."""
        return int(self.outputs.shape[1])

    def only(self, some: slice) -> "Answers":
        """Some of the rows."""
        return Answers(
            self.rows[some],
            self.identities[some],
            self.manifest,
            self.steps[some],
            self.revisions[some],
            self.outputs[some],
            self.gates and self.gates.of_row(some),
            self.replayed,
        )

    def each(self) -> Iterator[tuple[int, Answer]]:
        """The rows and their answers, one by one."""
        for index, (row, identity) in enumerate(zip(self.rows, self.identities, strict=True)):
            result = Result(self.outputs[index], self.gates and self.gates.of_row(index))
            step, revision = int(self.steps[index]), int(self.revisions[index])
            yield (
                row,
                Answer(identity.session_id, self.manifest, step, revision, result, self.replayed),
            )


@dataclass(slots=True, eq=False)
class Answered:
    """What came of rows of a block; every row has an answer or a failure."""

    answers: list[Answers] = field(default_factory=list)
    failures: list[tuple[int, Exception]] = field(default_factory=list)

    def only(self) -> Answer | Exception:
        """Of a single row."""
        if self.failures:
            return self.failures[0][1]
        (answers,) = self.answers
        ((_, answer),) = answers.each()
        return answer


def is_kept(shape: ResultShape, outputs: int) -> bool:
    """Whether a receipt holds such an answer, or has it computed again."""
    return shape.size(outputs) <= KEPT_ANSWER_BYTES


def kept_in(shape: ResultShape, result: Result, before: NDArray[np.float32], digest: bytes) -> Kept:
    """What a receipt holds of a result: its numbers, or the state [S] to compute it from again."""
    if is_kept(shape, len(result.outputs)):
        return Kept(digest, Kind.ANSWER, shape.pack(result))
    return Kept(digest, Kind.BEFORE, before.tobytes())


def kept_result(session: Session, receipt: Receipt, shape: ResultShape) -> Result:
    """What a receipt holds of the answer's numbers. Raises SessionDamaged."""
    try:
        return shape.unpack(receipt.content)
    except ValueError as error:
        raise damaged(session, f"an answer in its receipts: {error}") from error


def state_before(session: Session, receipt: Receipt) -> NDArray[np.float32]:
    """The state [S] that a receipt holds in place of an answer. Raises SessionDamaged."""
    if len(receipt.content) != session.state.nbytes:
        raise damaged(session, "a state in its receipts has another length")
    return np.frombuffer(receipt.content, np.float32)
