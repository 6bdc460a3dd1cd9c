"""Which token comes next."""

from typing import Literal

from pydantic import Field

from service.bundle.signatures.signature import Signature


class Probabilities(Signature):
    """Probabilities of the next token, [B, T, width], each row summing to 1."""

    kind: Literal["probabilities"] = "probabilities"
    width: int = Field(gt=0)

    @property
    def described(self) -> str:
        return f"probabilities of the next of {self.width} tokens"
