"""What a whole sequence is."""

from typing import Literal, Self

from pydantic import Field, model_validator

from service.bundle.signatures.signature import Signature, check_distinct


class Classes(Signature):
    """The probability of each class of the whole sequence, as far as it is known after each step,
    [B, T, width], each row summing to 1."""

    kind: Literal["classes"] = "classes"
    names: tuple[str, ...] = Field(min_length=2)

    @property
    def width(self) -> int:
        return len(self.names)

    @property
    def described(self) -> str:
        return f"probabilities of {self.width} classes"

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        check_distinct(self.names)
        return self
