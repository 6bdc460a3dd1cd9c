"""Real numbers, in or out."""

from typing import Literal, Self

from pydantic import Field, model_validator

from service.bundle.signatures.signature import Signature, check_units, with_units


def _is_default(value: object) -> bool:
    return not value


class Values(Signature):
    """Real numbers in the caller's own units, [B, T, width].

    `shape` is how the model itself arranges the numbers of a step, in C order, where that is more
    than a row. Of inputs alone: `missing` says that the model was trained with missing values, NaN
    in its input; `known_ahead` names those that a caller knows before they happen, such as a
    holiday.
    """

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
