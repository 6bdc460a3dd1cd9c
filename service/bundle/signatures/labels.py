"""Any number of labels at once, such as the notes of a chord."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from service.bundle.signatures.sampling import LIKELY, Choose, LabelChooser, Sampling
from service.bundle.signatures.signature import (
    FedColumn,
    Input,
    Output,
    check_distinct,
    one_by_one,
)


class Labels(Output):
    """The probability of each label at the next step, [B, T, width]; they are independent.

    What is fed back is a row of 1 for each label that was drawn, and 0 for the others.
    """

    beside: ClassVar[str | None] = "next"
    drawn_by: ClassVar[frozenset[str]] = frozenset({"seed", "temperature"})

    kind: Literal["labels"] = "labels"
    names: tuple[str, ...] = Field(min_length=1)

    @property
    def width(self) -> int:
        return len(self.names)

    @property
    def described(self) -> str:
        return f"probabilities of {self.width} labels"

    @property
    def fed_columns(self) -> Sequence[FedColumn]:
        return [FedColumn(name, None, column) for column, name in enumerate(self.names)]

    @property
    def compared(self) -> Sequence[tuple[str, str, slice]]:
        return one_by_one(self.names, [""] * self.width)

    def say(self, output: NDArray[np.float32], taken: Input) -> list[dict[str, Any]]:
        """The likely labels."""
        likely = np.flatnonzero(output >= LIKELY)
        likely = likely[np.argsort(-output[likely], kind="stable")]
        return [{"label": self.names[at], "probability": output[at]} for at in likely]

    def chooser(self, sampling: Sampling) -> Choose:
        return LabelChooser(sampling)

    def rolled(self, shown: NDArray[Any], taken: Input) -> dict[str, Any]:
        labels = [self._drawn(one) for one in shown]
        return {"outputs": np.ascontiguousarray(shown), "labels": labels}

    def rolled_one(self, shown: NDArray[Any], taken: Input) -> dict[str, Any]:
        return {"output": np.ascontiguousarray(shown), "labels": self._drawn(shown)}

    def _drawn(self, shown: NDArray[Any]) -> list[str]:
        return [self.names[at] for at in np.flatnonzero(shown)]

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        check_distinct(self.names)
        return self
