"""Numbers and text from the wire, checked against what a model takes."""

from functools import cache
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter, ValidationError

from service.bundle.manifest import InputSignature, Tokens
from service.edges.http.problems import invalid
from service.errors import Fault, InvalidInput, Place

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
    features = f"expected {signature.width} numbers ({', '.join(signature.names)})"
    return InvalidInput(
        [
            Fault(fault.place, f"{features}, found {detail['ctx']['actual_length']}")
            if detail["type"] in ("too_short", "too_long")
            else fault
            for fault, detail in zip(found.faults, error.errors(include_url=False), strict=False)
        ]
    )
