"""What a whole sequence is."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from service.bundle.signatures.signature import Input, Output, check_distinct, one_by_one


class Classes(Output):
    """The probability of each class of the whole sequence, as far as it is known after each step,
    [B, T, width], each row summing to 1. They are not fed back."""

    beside: ClassVar[str | None] = "likely"

    kind: Literal["classes"] = "classes"
    names: tuple[str, ...] = Field(min_length=2)

    @property
    def width(self) -> int:
        return len(self.names)

    @property
    def described(self) -> str:
        return f"probabilities of {self.width} classes"

    @property
    def compared(self) -> Sequence[tuple[str, str, slice]]:
        return one_by_one(self.names, [""] * self.width)

    def say(self, output: NDArray[np.float32], taken: Input) -> dict[str, Any]:
        """The most likely class."""
        best = int(np.argmax(output))
        return {"class": self.names[best], "probability": output[best]}

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        check_distinct(self.names)
        return self
