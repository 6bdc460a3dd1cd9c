"""What a caller sends for the time steps of a session, read for the session's model.

Which model that is, is known only when the session has been read. So inputs travel as one of four
variants and become an array at that point.
"""

from collections.abc import Sequence
from functools import cache
from math import isfinite
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter, ValidationError

from service.bundle.signatures import InputSignature, Tokens, Values
from service.errors import Fault, InvalidInput, Place
from service.operations.faults import invalid
from service.records import record

FLOAT32_MAX = float(np.finfo(np.float32).max)
Number = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-FLOAT32_MAX, le=FLOAT32_MAX)]
"""A finite number that float32 can hold. Booleans and strings are not numbers."""

_FIRST_FAULT = Field(fail_fast=True)
"""Stop at the first wrong row: a fault in every one of many would cost more than good input."""

STATE_BOUND = 1e6
"""A GRU's state stays within ±1 once it is there; beyond this its arithmetic may overflow."""

StateNumber = Annotated[
    float, Field(strict=True, allow_inf_nan=False, ge=-STATE_BOUND, le=STATE_BOUND)
]
StateVector = Annotated[list[StateNumber], _FIRST_FAULT]

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
        return decode_inputs(self.rows, signature, ("inputs",))[np.newaxis]


@record
class JsonBlock:
    """Of N sessions with as many time steps each, `sequences` as `JsonRows` has one's, and the same
    numbers in `matrices` [N, T, F], which are finite."""

    sequences: Sequence[list[Any]]
    matrices: NDArray[np.float32]

    @property
    def steps(self) -> int:
        return int(self.matrices.shape[1])

    def read(self, indexes: Sequence[int], signature: InputSignature) -> NDArray[Any]:
        if isinstance(signature, Values) and signature.width == self.matrices.shape[2]:
            return _chosen(self.matrices, indexes)
        # Said in the same words as of one.
        return np.stack(
            [decode_inputs(self.sequences[index], signature, ("inputs",)) for index in indexes]
        )


@record
class Text:
    """Of one session, one time step a character."""

    text: str

    @property
    def steps(self) -> int:
        return len(self.text)

    def read(self, _: Sequence[int], signature: InputSignature) -> NDArray[Any]:
        return encode_text(self.text, signature, ("text",))[np.newaxis]


class TensorBlock:
    """Of N sessions, `tensors` [N, T, F] float32 or [N, T] int64, whose numbers nobody has looked
    at yet."""

    def __init__(self, tensors: NDArray[Any]) -> None:
        self.tensors = tensors
        self._usable: dict[int, bool] = {}

    @property
    def steps(self) -> int:
        return int(self.tensors.shape[1])

    def read(self, indexes: Sequence[int], signature: InputSignature) -> NDArray[Any]:
        self._check_shape(signature)
        if not self._all_usable(signature):
            for index in indexes:
                _check_numbers(self.tensors[index], signature)
        return _chosen(self.tensors, indexes)

    def _check_shape(self, signature: InputSignature) -> None:
        tokens = self.tensors.ndim == 2
        if isinstance(signature, Tokens):
            if not tokens:
                raise InvalidInput.at(("inputs",), "this model takes tokens, int64, not numbers")
        elif tokens:
            raise InvalidInput.at(("inputs",), "this model takes numbers, float32, not tokens")
        elif self.tensors.shape[2] != signature.width:
            raise InvalidInput.at(
                ("inputs", 0), f"{_expected(signature)}, found {self.tensors.shape[2]}"
            )

    def _all_usable(self, signature: InputSignature) -> bool:
        """One look at the whole block: a look at each tensor would cost more than its step."""
        size = signature.size if isinstance(signature, Tokens) else 0
        if size not in self._usable:
            self._usable[size] = _all_right(self.tensors, signature)
        return self._usable[size]


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
        inputs = decode_inputs([one[0] for one in found], signature, ())
    except InvalidInput:
        return None
    return inputs[:, np.newaxis]


def _chosen(tensors: NDArray[Any], indexes: Sequence[int]) -> NDArray[Any]:
    if len(indexes) == len(tensors) and indexes[0] == 0 and indexes[-1] == len(tensors) - 1:
        return tensors
    chosen: NDArray[Any] = tensors[list(indexes)]
    return chosen


def decode_inputs(value: object, signature: InputSignature, place: Place) -> NDArray[Any]:
    """One sequence: float32 [T, F], or int64 [T] for a token model. Raises InvalidInput."""
    adapter: TypeAdapter[Any]
    dtype: type[np.generic]
    if isinstance(signature, Tokens):
        adapter, dtype, expected = _tokens(signature.size), np.int64, "a list of token ids"
    else:
        adapter, dtype = _matrix(signature.width), np.float32
        expected = "a list of time steps, each a list of numbers"
    if isinstance(value, np.ndarray):
        if _fits(value, signature):
            return value.astype(dtype)
        value = value.tolist()
    if not isinstance(value, list):
        raise InvalidInput.at(place, f"expected {expected}")
    if not value:
        raise InvalidInput.at(place, "the sequence is empty; send at least one time step")
    try:
        return np.array(adapter.validate_python(value), dtype)
    except ValidationError as error:
        raise _explained(error, signature, place) from None


def encode_text(text: object, signature: InputSignature, place: Place) -> NDArray[np.int64]:
    """One token a character, int64 [T]. Raises InvalidInput for a model without a vocabulary."""
    if not isinstance(signature, Tokens) or signature.vocabulary is None:
        raise InvalidInput.at(place, "this model takes no text; send numbers as `inputs`")
    if not isinstance(text, str) or not text:
        raise InvalidInput.at(place, "expected a text of at least one character")
    ids = signature.ids
    try:
        return np.fromiter((ids[character] for character in text), np.int64, len(text))
    except KeyError:
        raise InvalidInput(
            Fault((*place, index), f"{character!r} is not in the model's vocabulary")
            for index, character in enumerate(text)
            if character not in ids
        ) from None


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


def _fits(inputs: NDArray[Any], signature: InputSignature) -> bool:
    """Whether an array, read from numbers alone, is a sequence for the model."""
    if isinstance(signature, Tokens):
        return inputs.ndim == 1 and bool((inputs.min() >= 0) & (inputs.max() < signature.size))
    # Of numbers that are not finite, neither comparison is true.
    return inputs.shape[1:] == (signature.width,) and bool(np.abs(inputs).max() <= FLOAT32_MAX)


@cache
def _matrix(width: int) -> TypeAdapter[list[list[float]]]:
    row = Annotated[list[Number], Field(min_length=width, max_length=width)]
    return TypeAdapter(Annotated[list[row], _FIRST_FAULT])


@cache
def _tokens(size: int) -> TypeAdapter[list[int]]:
    token = Annotated[int, Field(strict=True, ge=0, lt=size)]
    return TypeAdapter(Annotated[list[token], _FIRST_FAULT])


def _explained(error: ValidationError, signature: InputSignature, place: Place) -> InvalidInput:
    """pydantic speaks of list lengths; a caller wants to know which features are expected."""
    found = invalid(error, place)
    if isinstance(signature, Tokens):
        return found
    features = _expected(signature)
    return InvalidInput(
        [
            Fault(fault.place, f"{features}, found {detail['ctx']['actual_length']}")
            if detail["type"] in ("too_short", "too_long")
            else fault
            for fault, detail in zip(found.faults, error.errors(include_url=False), strict=False)
        ]
    )


def _expected(signature: Values) -> str:
    return f"expected {signature.width} numbers ({', '.join(signature.names)})"


def _all_right(tensors: NDArray[Any], signature: InputSignature) -> bool:
    # Finite where all numbers are, but for very large ones; a tenth of the time of a real look.
    if tensors.dtype == np.float32 and isfinite(np.vdot(tensors, tensors)):
        return True
    return not _wrong(tensors, signature).any()


def _wrong(tensors: NDArray[Any], signature: InputSignature) -> NDArray[np.bool_]:
    if isinstance(signature, Tokens):
        return (tensors < 0) | (tensors >= signature.size)
    finite: NDArray[np.bool_] = np.isfinite(tensors)
    return ~finite


def _check_numbers(tensor: NDArray[Any], signature: InputSignature) -> None:
    wrong = np.argwhere(_wrong(tensor, signature))
    if len(wrong):
        if isinstance(signature, Tokens):
            expected = f"expected a token from 0 to {signature.size - 1}"
        else:
            expected = "expected a finite number"
        raise InvalidInput(Fault(("inputs", *place), expected) for place in wrong.tolist())
