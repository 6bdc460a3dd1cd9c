"""What steps gave, and how it is kept in a receipt.

Kept as bytes: the outputs, then where gates were asked for reset, update, candidate and hidden;
numbers of 4 bytes, row by row, little endian.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.bundle.manifest import Manifest
from service.engine.engine import Gates
from service.metrics.catalogue import REPLAYS, STEPS
from service.records import record
from service.sessions.damage import damaged
from service.sessions.receipts import KEPT_ANSWER_BYTES, Kind, Receipt
from service.stores.store import Session

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
        tensors = (gates.reset, gates.update, gates.candidate, gates.hidden) if gates else ()
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


def count_answers(outcomes: Iterable[object]) -> None:
    """Of a group that is stored: the time steps in all, and the answers that are given again."""
    applied: dict[str, int] = {}
    for answer in outcomes:
        if not isinstance(answer, Answer):
            continue
        if answer.replayed:
            REPLAYS.inc()
        else:
            model = answer.manifest.name
            applied[model] = applied.get(model, 0) + len(answer.result.outputs)
    for model, steps in applied.items():
        STEPS.labels(model).inc(steps)


def is_kept(shape: ResultShape, outputs: int) -> bool:
    """Whether a receipt holds such an answer, or has it computed again."""
    return shape.size(outputs) <= KEPT_ANSWER_BYTES


def kept_result(session: Session, receipt: Receipt, shape: ResultShape) -> Result:
    """What a receipt holds of the answer's numbers. Raises StoreError where they are damaged."""
    try:
        return shape.unpack(receipt.content)
    except ValueError as error:
        raise damaged(session.session_id, f"an answer in its receipts: {error}") from error


def state_before(session: Session, receipt: Receipt) -> NDArray[np.float32]:
    """The state [S] that a receipt holds in place of an answer. Raises StoreError likewise."""
    if len(receipt.content) != session.state.nbytes:
        raise damaged(session.session_id, "a state in its receipts has another length")
    return np.frombuffer(receipt.content, np.float32)


def kept_in(shape: ResultShape, result: Result, before: NDArray[np.float32]) -> tuple[Kind, bytes]:
    """What a receipt holds of a result: its numbers, or the state [S] to compute it from again."""
    if is_kept(shape, len(result.outputs)):
        return Kind.ANSWER, shape.pack(result)
    return Kind.BEFORE, before.tobytes()
