"""What steps gave, and how it is kept in a receipt.

Kept as bytes: the outputs, then where gates were asked for every gate and the hidden state; numbers
of 4 bytes, row by row, little endian.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from service.bundle.manifest import Manifest
from service.engine.engine import Gates
from service.records import record
from service.sessions.changing import Kept
from service.sessions.damage import damaged
from service.sessions.receipts import KEPT_ANSWER_BYTES, Kind, Receipt
from service.sessions.vectors import Vector, is_vector
from service.stores.store import Identity, Session

Made = TypeVar("Made")


@record
class Result:
    """What T time steps gave: outputs [N, O] float32 or [N] int32, and gates [T, G] each.

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
    gate_names: tuple[str, ...] = ()
    """The gates that belong to the result, the hidden state included."""
    gate_size: int = 0
    """G, the units of each."""
    more_gates: int = 0
    """T − N."""

    def size(self, outputs: int) -> int:
        """Bytes of a result with N = `outputs`."""
        gates = len(self.gate_names) * self.gate_size * (outputs + self.more_gates)
        return 4 * (outputs * self.width + gates)

    def pack(self, result: Result) -> bytes:
        gates = result.gates
        tensors = gates.tensors if gates else ()
        return b"".join([result.outputs.tobytes(), *(tensor.tobytes() for tensor in tensors)])

    def unpack(self, content: bytes) -> Result:
        """The reverse of `pack`. Raises ValueError for bytes that are no such result."""
        gate_columns = len(self.gate_names) * self.gate_size
        numbers = len(content) // 4 - gate_columns * self.more_gates
        outputs = numbers // (self.width + gate_columns)
        if self.size(outputs) != len(content):
            raise ValueError(f"{len(content)} bytes are no {outputs} outputs")
        split = 4 * outputs * self.width
        shown = np.frombuffer(content[:split], self.dtype)
        if np.issubdtype(self.dtype, np.floating):
            shown = shown.reshape(outputs, self.width)
        if not self.gate_names:
            return Result(shown, None)
        gates = np.frombuffer(content[split:], np.float32)
        tensors = gates.reshape(len(self.gate_names), -1, self.gate_size)
        return Result(shown, Gates(self.gate_names, tuple(tensors)))


def shape_of_steps(manifest: Manifest, *, gates: bool) -> ResultShape:
    return ResultShape(np.float32, manifest.output.width, *shown_gates(manifest, gates=gates))


def shown_gates(manifest: Manifest, *, gates: bool) -> tuple[tuple[str, ...], int]:
    """The names of what a result shows of the gates, and the units of each."""
    return (manifest.shown_names, manifest.gate_size) if gates else ((), 0)


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


@dataclass(slots=True, eq=False)
class AnswerColumns:
    """The answers to B rows that shared a run: the sessions' steps and revisions [B] after them,
    outputs [B, T, O], and gates [B, T, G] each. `replayed` as an `Answer` has it."""

    identities: Sequence[Identity]
    manifest: Manifest
    steps: Sequence[int]
    revisions: Sequence[int]
    outputs: NDArray[np.float32]
    gates: Gates | None
    replayed: bool = False
    _made: dict[object, Any] = field(default_factory=dict)

    def once(self, make: "Callable[[AnswerColumns], Made]") -> Made:
        """What somebody makes of all rows in one go, for each of whom it would take longer."""
        made: Made = self._made.get(make) or self._made.setdefault(make, make(self))
        return made


@record
class Answers:
    """The answers to some rows of a block: those from `begin` to `end` in `columns`."""

    rows: Sequence[int]
    columns: AnswerColumns
    begin: int
    end: int

    @classmethod
    def again(cls, row: int, identity: Identity, answer: Answer) -> "Answers":
        """Of one row, whose answer is known."""
        gates = answer.result.gates
        columns = AnswerColumns(
            (identity,),
            answer.manifest,
            (answer.step,),
            (answer.revision,),
            answer.result.outputs[np.newaxis],
            gates and gates.of_row(np.newaxis),
            replayed=True,
        )
        return cls((row,), columns, 0, 1)

    @property
    def time(self) -> int:
        """T."""
        return int(self.columns.outputs.shape[1])

    @property
    def span(self) -> slice:
        return slice(self.begin, self.end)

    def only(self, begin: int, end: int) -> "Answers":
        """Some of the rows."""
        first = self.begin
        return Answers(self.rows[begin:end], self.columns, first + begin, first + end)

    def each(self) -> Iterator[tuple[int, Answer]]:
        """The rows and their answers, one by one."""
        columns = self.columns
        for row, index in zip(self.rows, range(self.begin, self.end), strict=True):
            result = Result(columns.outputs[index], columns.gates and columns.gates.of_row(index))
            yield (
                row,
                Answer(
                    columns.identities[index].session_id,
                    columns.manifest,
                    columns.steps[index],
                    columns.revisions[index],
                    result,
                    columns.replayed,
                ),
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


def kept_in(shape: ResultShape, result: Result, before: Vector, digest: bytes) -> Kept:
    """What a receipt holds of a result: its numbers, or the vector of the session before the
    request, to compute it from again."""
    if is_kept(shape, len(result.outputs)):
        return Kept(digest, Kind.ANSWER, shape.pack(result))
    return Kept(digest, Kind.BEFORE, before.tobytes())


def kept_result(session: Session, receipt: Receipt, shape: ResultShape) -> Result:
    """What a receipt holds of the answer's numbers. Raises SessionDamaged."""
    try:
        return shape.unpack(receipt.content)
    except ValueError as error:
        raise damaged(session, f"an answer in its receipts: {error}") from error


def state_before(session: Session, receipt: Receipt, manifest: Manifest) -> Vector:
    """The vector that a receipt holds in place of an answer, as the model's version at that time
    has it. Raises SessionDamaged."""
    size, rest = divmod(len(receipt.content), np.dtype(np.float32).itemsize)
    if rest or not is_vector(size, manifest):
        raise damaged(session, "a state in its receipts has another length")
    return np.frombuffer(receipt.content, np.float32)
