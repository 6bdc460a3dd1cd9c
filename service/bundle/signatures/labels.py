"""Any number of labels at once, such as the notes of a chord."""

from typing import Literal, Self

from pydantic import Field, model_validator

from service.bundle.signatures.signature import Signature, check_distinct


class Labels(Signature):
    """The probability of each label at the next step, [B, T, width]; they are independent."""

    kind: Literal["labels"] = "labels"
    names: tuple[str, ...] = Field(min_length=1)

    @property
    def width(self) -> int:
        return len(self.names)

    @property
    def described(self) -> str:
        return f"probabilities of {self.width} labels"

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        check_distinct(self.names)
        return self
