"""Whole numbers that stand for characters or items."""

from functools import cached_property
from typing import Literal, Self

from pydantic import Field, model_validator

from service.bundle.signatures.signature import Signature


def _is_character(token: str) -> bool:
    return token == "character"


class Tokens(Signature):
    """Integer ids below `size`, [B, T]; `vocabulary[id]` is the text of a token, where known.

    Where a `token` is an item, the vocabulary has the items' names.
    """

    kind: Literal["tokens"] = "tokens"
    size: int = Field(gt=0)
    vocabulary: tuple[str, ...] | None = None
    # Left out where it says nothing, so that earlier releases read what they can serve.
    token: Literal["character", "item"] = Field(default="character", exclude_if=_is_character)

    @property
    def width(self) -> int:
        return 1

    @property
    def described(self) -> str:
        return f"{self.size} tokens" if self.vocabulary is None else f"{self.size} {self.token}s"

    @cached_property
    def ids(self) -> dict[str, int]:
        """Token ids by text; empty without a vocabulary."""
        return {text: token for token, text in enumerate(self.vocabulary or ())}

    @model_validator(mode="after")
    def _one_text_each(self) -> Self:
        if self.vocabulary is not None and len(set(self.vocabulary)) != self.size:
            raise ValueError(f"the vocabulary needs {self.size} different entries")
        return self

    @model_validator(mode="after")
    def _items_have_names(self) -> Self:
        if self.token == "item" and self.vocabulary is None:
            raise ValueError("items need a vocabulary with their names")
        return self
