"""What a caller sends for the time steps of a session, read for the session's model.

Which model that is, is known only when the session has been read. So inputs travel as one of four
variants and become an array at that point.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter, ValidationError

from service.bundle.signatures import InputSignature
from service.bundle.signatures.numbers import FIRST_FAULT
from service.errors import Fault, InvalidInput, Place
from service.faults import invalid
from service.records import record

STATE_BOUND = 1e6
"""A GRU's state stays within ±1 once it is there; beyond this its arithmetic may overflow."""

StateNumber = Annotated[
    float, Field(strict=True, allow_inf_nan=False, ge=-STATE_BOUND, le=STATE_BOUND)
]
StateVector = Annotated[list[StateNumber], FIRST_FAULT]

_STATE = TypeAdapter(StateVector)


@record
class JsonRows:
    """Of one session, `rows` as JSON has them: [[f, …F], …T], or [id, …T]; or an array of plain
    numbers of that shape, where they were very many."""

    rows: list[Any] | NDArray[Any]

    @property
    def steps(self) -> int:
        return len(self.rows)

    def read(self, _: Sequence[int], signature: InputSignature) -> NDArray[Any]:
        return signature.decode(self.rows, ("inputs",))[np.newaxis]


@record
class JsonBlock:
    """Of N sessions with as many time steps each, `sequences` as `JsonRows` has one's, and the same
    numbers in `matrices` [N, T, F], which are finite, or NaN where `missing` says so for null."""

    sequences: Sequence[list[Any]]
    matrices: NDArray[np.float32]
    missing: bool = False

    @property
    def steps(self) -> int:
        return int(self.matrices.shape[1])

    def read(self, indexes: Sequence[int], signature: InputSignature) -> NDArray[Any]:
        if signature.takes_matrix(self.matrices.shape[2], missing=self.missing):
            return _chosen(self.matrices, indexes)
        # Said in the same words as of one.
        return np.stack([signature.decode(self.sequences[index], ("inputs",)) for index in indexes])


@record
class Text:
    """Of one session, one time step a character."""

    text: str

    @property
    def steps(self) -> int:
        return len(self.text)

    def read(self, _: Sequence[int], signature: InputSignature) -> NDArray[Any]:
        return signature.encode_text(self.text, ("text",))[np.newaxis]


class TensorBlock:
    """Of N sessions, `tensors` [N, T, F] float32 or [N, T] int64, whose numbers nobody has looked
    at yet."""

    def __init__(self, tensors: NDArray[Any]) -> None:
        self.tensors = tensors
        self._usable: dict[int, tuple[InputSignature, bool]] = {}

    @property
    def steps(self) -> int:
        return int(self.tensors.shape[1])

    def read(self, indexes: Sequence[int], signature: InputSignature) -> NDArray[Any]:
        signature.check_shape(self.tensors, ("inputs",))
        if not self._all_usable(signature):
            for index in indexes:
                _check_numbers(self.tensors[index], signature)
        return _chosen(self.tensors, indexes)

    def _all_usable(self, signature: InputSignature) -> bool:
        """One look at the whole block: a look at each tensor would cost more than its step."""
        # By the very signature, which is kept with it: to compare two takes longer than the look.
        if id(signature) not in self._usable:
            self._usable[id(signature)] = signature, signature.all_right(self.tensors)
        return self._usable[id(signature)][1]


Inputs = JsonRows | JsonBlock | Text | TensorBlock
"""`steps` is T, the time steps of each session. `read(indexes, signature)` gives the inputs of n of
the sessions, float32 [n, T, F] or int64 [n, T], or raises InvalidInput where those of any cannot be
used by a model with this signature."""


def read_single_steps(rows: Sequence[JsonRows], signature: InputSignature) -> NDArray[Any] | None:
    """One time step for each of n sessions in one go, [n, 1, F] or [n, 1]; None where any has more
    or cannot be used, which is said of it alone."""
    found = [one.rows for one in rows]
    if not all(isinstance(one, list) and len(one) == 1 for one in found):
        return None
    try:
        inputs = signature.decode([one[0] for one in found], ())
    except InvalidInput:
        return None
    return inputs[:, np.newaxis]


def _chosen(tensors: NDArray[Any], indexes: Sequence[int]) -> NDArray[Any]:
    if len(indexes) == len(tensors) and indexes[0] == 0 and indexes[-1] == len(tensors) - 1:
        return tensors
    chosen: NDArray[Any] = tensors[list(indexes)]
    return chosen


def decode_state(value: object, state_size: int, place: Place) -> NDArray[np.float32]:
    """A flat state, float32 [S]. Raises InvalidInput."""
    try:
        state = np.array(_STATE.validate_python(value), np.float32)
    except ValidationError as error:
        raise invalid(error, place) from None
    if len(state) != state_size:
        raise InvalidInput.at(
            place, f"{len(state)} numbers, but this model's state has {state_size}"
        )
    return state


def _check_numbers(tensor: NDArray[Any], signature: InputSignature) -> None:
    wrong = np.argwhere(signature.wrong(tensor)).tolist()
    if wrong:
        raise InvalidInput(
            Fault(("inputs", *place), signature.why_wrong(tensor[tuple(place)])) for place in wrong
        )
