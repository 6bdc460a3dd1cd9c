"""Which token comes next."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from service.bundle.signatures.sampling import Choose, Chooser, Sampling
from service.bundle.signatures.signature import Input, Output

TOP_TOKENS = 5
"""How many of the most likely next tokens an answer names."""


class Probabilities(Output):
    """Probabilities of the next token, [B, T, width], each row summing to 1."""

    beside: ClassVar[str | None] = "next"
    drawn_by: ClassVar[frozenset[str]] = frozenset({"seed", "stop", "temperature", "top_k"})
    looks_ahead: ClassVar[bool] = False
    shown_dtype: ClassVar[type[np.generic]] = np.int32

    kind: Literal["probabilities"] = "probabilities"
    width: int = Field(gt=0)

    @property
    def described(self) -> str:
        return f"probabilities of the next of {self.width} tokens"

    @property
    def token_count(self) -> int:
        return self.width

    @property
    def shown_width(self) -> int:
        return 1

    @property
    def compared(self) -> Sequence[tuple[str, str, slice]]:
        return [("probabilities", "", slice(None))]

    def say(self, output: NDArray[np.float32], taken: Input) -> list[dict[str, Any]]:
        """The most likely next tokens."""
        count = min(TOP_TOKENS, len(output))
        top = np.argpartition(-output, count - 1)[:count]
        top = top[np.argsort(-output[top], kind="stable")]
        return [
            {"token": int(token), **taken.token_text(token), "probability": output[token]}
            for token in top
        ]

    def chooser(self, sampling: Sampling) -> Choose:
        return Chooser(sampling)

    def rolled(self, shown: NDArray[Any], taken: Input) -> dict[str, Any]:
        tokens = shown.tolist()
        return {"tokens": tokens, **taken.written(tokens)}

    def rolled_one(self, shown: NDArray[Any], taken: Input) -> dict[str, Any]:
        return {"token": int(shown), **taken.token_text(int(shown))}
