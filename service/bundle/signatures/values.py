"""Real numbers, in or out."""

from collections.abc import Sequence
from functools import cache, cached_property
from math import isfinite
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter, ValidationError, model_validator
from pydantic_core import ErrorDetails

from service.bundle.signatures.numbers import FIRST_FAULT, FLOAT32_MAX, Number
from service.bundle.signatures.signature import (
    FedColumn,
    Input,
    Output,
    check_units,
    one_by_one,
    text_refused,
    with_units,
)
from service.errors import Fault, InvalidInput, Place
from service.faults import invalid

_NEVER_MISSING = "expected a number: this model was trained without missing values"


def _is_default(value: object) -> bool:
    return not value


class Values(Input, Output):
    """Real numbers in the caller's own units, [B, T, width].

    `shape` is how the model itself arranges the numbers of a step, in C order, where that is more
    than a row. Of inputs alone: `missing` says that the model was trained with missing values, NaN
    in its input; `known_ahead` names those that a caller knows before they happen, such as a
    holiday.
    """

    dtype: ClassVar[type[np.generic]] = np.float32

    kind: Literal["values"] = "values"
    names: tuple[str, ...] = Field(min_length=1)
    units: tuple[str, ...]
    shape: tuple[int, ...] | None = None
    # Left out where they say nothing, so that earlier releases read what they can serve.
    missing: bool = Field(default=False, exclude_if=_is_default)
    known_ahead: tuple[str, ...] = Field(default=(), exclude_if=_is_default)

    @property
    def width(self) -> int:
        return len(self.names)

    @property
    def described(self) -> str:
        return with_units(self.names, self.units)

    @property
    def features(self) -> tuple[int, ...]:
        return (self.width,)

    @property
    def columns(self) -> Sequence[tuple[str, str]]:
        return list(zip(self.names, self.units, strict=True))

    @cached_property
    def ahead(self) -> "Values | None":
        if not self.known_ahead:
            return None
        units = [self.units[self.names.index(name)] for name in self.known_ahead]
        return Values(names=self.known_ahead, units=tuple(units), missing=self.missing)

    @property
    def takes_missing(self) -> bool:
        return self.missing

    @property
    def fed_columns(self) -> Sequence[FedColumn]:
        return [FedColumn(name, unit, at) for at, (name, unit) in enumerate(self.columns)]

    @property
    def says_of_inputs(self) -> bool:
        return self.missing or bool(self.known_ahead)

    @property
    def compared(self) -> Sequence[tuple[str, str, slice]]:
        return one_by_one(self.names, self.units)

    def decode(self, value: object, place: Place) -> NDArray[Any]:
        if isinstance(value, np.ndarray):
            if self._fits(value):
                return value.astype(np.float32)
            value = _as_json(value)
        if not isinstance(value, list):
            raise InvalidInput.at(place, "expected a list of time steps, each a list of numbers")
        if not value:
            raise InvalidInput.at(place, "the sequence is empty; send at least one time step")
        rows = _matrix(len(self.names), missing=self.missing)
        try:
            return np.array(rows.validate_python(value), np.float32)
        except ValidationError as error:
            raise self._explained(error, place) from None

    def encode_text(self, text: object, place: Place) -> NDArray[np.int64]:
        raise text_refused(place, "send numbers as `inputs`")

    def takes_matrix(self, width: int, *, missing: bool) -> bool:
        return width == self.width and (self.missing or not missing)

    def check_shape(self, tensors: NDArray[Any], place: Place) -> None:
        if tensors.ndim == 2:
            raise InvalidInput.at(place, "this model takes numbers, float32, not tokens")
        if tensors.shape[2] != self.width:
            raise InvalidInput.at((*place, 0), f"{self._expected()}, found {tensors.shape[2]}")

    def wrong(self, tensors: NDArray[Any]) -> NDArray[np.bool_]:
        usable: NDArray[np.bool_] = np.isfinite(tensors)
        if self.missing:
            usable |= np.isnan(tensors)
        return ~usable

    def why_wrong(self, number: np.generic) -> str:
        return _NEVER_MISSING if np.isnan(number) else "expected a finite number"

    def all_right(self, tensors: NDArray[Any]) -> bool:
        # Finite where all numbers are, but for very large ones; a tenth of the time of a real look.
        if tensors.dtype == np.float32 and isfinite(np.vdot(tensors, tensors)):
            return True
        return super().all_right(tensors)

    def example(self, inputs: NDArray[Any]) -> dict[str, Any]:
        # The shortest decimals that read back as the same float32: 371.2, not 371.20001220703125.
        shortest = [[_shortest(value) for value in row] for row in inputs]
        return {"inputs": shortest}

    def _fits(self, array: NDArray[Any]) -> bool:
        """Whether an array, NaN for null, is a sequence for the model as it is."""
        if not len(array) or array.shape[1:] != (self.width,) or array.dtype.kind not in "fiu":
            return False
        if self.missing:
            return not (np.abs(array) > FLOAT32_MAX).any()
        # Of numbers that are not finite the comparison is not true.
        return bool(np.abs(array).max() <= FLOAT32_MAX)

    def _explained(self, error: ValidationError, place: Place) -> InvalidInput:
        """pydantic speaks of list lengths; a caller wants to know which features are expected."""
        found = invalid(error, place)
        details = error.errors(include_url=False)
        return InvalidInput(
            Fault(fault.place, self._reason(detail) or fault.message)
            for fault, detail in zip(found.faults, details, strict=False)
        )

    def _reason(self, detail: ErrorDetails) -> str | None:
        if detail["type"] in ("too_short", "too_long"):
            return f"{self._expected()}, found {detail['ctx']['actual_length']}"
        is_number = detail["type"] == "float_type" and len(detail["loc"]) == 2
        return _NEVER_MISSING if is_number and detail["input"] is None else None

    def _expected(self) -> str:
        return f"expected {self.width} numbers ({', '.join(self.names)})"

    @model_validator(mode="after")
    def _one_unit_each(self) -> Self:
        check_units(self.names, self.units)
        return self

    @model_validator(mode="after")
    def _known_ahead_are_inputs(self) -> Self:
        if len(set(self.known_ahead)) < len(self.known_ahead):
            raise ValueError("an input is known ahead twice")
        strange = [name for name in self.known_ahead if self.names.count(name) != 1]
        if strange:
            raise ValueError(f"{strange[0]!r} is known ahead, and not the name of one input")
        return self


@cache
def _matrix(width: int, *, missing: bool) -> TypeAdapter[list[list[float | None]]]:
    number: Any = Number | None if missing else Number
    row: Any = Annotated[list[number], Field(min_length=width, max_length=width)]
    return TypeAdapter(Annotated[list[row], FIRST_FAULT])


def _as_json(array: NDArray[Any]) -> object:
    """Lists, with None for what was null."""
    if array.dtype.kind != "f" or not (missing := np.isnan(array)).any():
        return array.tolist()
    nulls = array.astype(object)
    nulls[missing] = None
    return nulls.tolist()


def _shortest(value: np.float32) -> float | None:
    return None if np.isnan(value) else float(str(np.float32(value)))
