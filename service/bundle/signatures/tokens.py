"""Whole numbers that stand for characters or items."""

from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter, ValidationError, model_validator

from service.bundle.signatures.numbers import FIRST_FAULT
from service.bundle.signatures.signature import Input, text_refused
from service.errors import Fault, InvalidInput, Place
from service.faults import invalid


def _is_character(token: str) -> bool:
    return token == "character"


class Tokens(Input):
    """Integer ids below `size`, [B, T]; `vocabulary[id]` is the text of a token, where known.

    Where a `token` is an item, the vocabulary has the items' names.
    """

    dtype: ClassVar[type[np.generic]] = np.int64

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

    @property
    def features(self) -> tuple[int, ...]:
        return ()

    @property
    def token_count(self) -> int:
        return self.size

    @cached_property
    def ids(self) -> dict[str, int]:
        """Token ids by text; empty without a vocabulary."""
        return {text: token for token, text in enumerate(self.vocabulary or ())}

    def decode(self, value: object, place: Place) -> NDArray[Any]:
        if isinstance(value, np.ndarray):
            if value.ndim == 1 and value.dtype.kind not in "iu":
                found = f"found an array of {value.dtype}"
                raise InvalidInput.at(place, f"expected token ids, which are integers; {found}")
            if value.ndim == 1 and len(value) and not self.wrong(value).any():
                return value.astype(np.int64)
            value = value.tolist()
        if not isinstance(value, list):
            expected = "item names or their ids" if self.token == "item" else "token ids"
            raise InvalidInput.at(place, f"expected a list of {expected}")
        if not value:
            raise InvalidInput.at(place, "the sequence is empty; send at least one time step")
        ids = self._ids_of(value, place) if self.token == "item" else value
        try:
            return np.array(_tokens(self.size).validate_python(ids), np.int64)
        except ValidationError as error:
            raise invalid(error, place) from None

    def encode_text(self, text: object, place: Place) -> NDArray[np.int64]:
        if self.token == "item":
            raise text_refused(place, "send the names of items, or their ids, as `inputs`")
        if self.vocabulary is None:
            raise text_refused(place, "send numbers as `inputs`")
        if not isinstance(text, str) or not text:
            raise InvalidInput.at(place, "expected a text of at least one character")
        ids = self.ids
        try:
            return np.fromiter((ids[character] for character in text), np.int64, len(text))
        except KeyError:
            raise InvalidInput(
                Fault((*place, index), _unknown(character))
                for index, character in enumerate(text)
                if character not in ids
            ) from None

    def encode_stop(self, text: str, place: Place) -> tuple[int, ...]:
        if self.token == "character":
            return super().encode_stop(text, place)
        if text not in self.ids:
            raise InvalidInput.at(place, _unknown(text))
        return (self.ids[text],)

    def check_shape(self, tensors: NDArray[Any], place: Place) -> None:
        if tensors.ndim != 2:
            raise InvalidInput.at(place, "this model takes tokens, int64, not numbers")

    def wrong(self, tensors: NDArray[Any]) -> NDArray[np.bool_]:
        return (tensors < 0) | (tensors >= self.size)

    def why_wrong(self, number: np.generic) -> str:
        return f"expected a token from 0 to {self.size - 1}"

    def token_text(self, token: int) -> Mapping[str, str]:
        if self.vocabulary is None:
            return {}
        field = "text" if self.token == "character" else "item"
        return {field: self.vocabulary[token]}

    def written(self, tokens: Sequence[int]) -> Mapping[str, Any]:
        if self.vocabulary is None:
            return {}
        texts = [self.vocabulary[token] for token in tokens]
        return {"items": texts} if self.token == "item" else {"text": "".join(texts)}

    def example(self, inputs: NDArray[Any]) -> dict[str, Any]:
        tokens = inputs.tolist()
        written = self.written(tokens)
        return {"text": written["text"]} if "text" in written else {"inputs": tokens}

    def _ids_of(self, value: list[Any], place: Place) -> list[Any]:
        """With ids in the place of names. Raises InvalidInput for a name that is no item's."""
        if str not in set(map(type, value)):
            return value
        ids = self.ids
        unknown = [
            Fault((*place, index), _unknown(name))
            for index, name in enumerate(value)
            if type(name) is str and name not in ids
        ]
        if unknown:
            raise InvalidInput(unknown)
        return [ids[name] if type(name) is str else name for name in value]

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


@cache
def _tokens(size: int) -> TypeAdapter[list[int]]:
    token = Annotated[int, Field(strict=True, ge=0, lt=size)]
    return TypeAdapter(Annotated[list[token], FIRST_FAULT])


def _unknown(text: str) -> str:
    return f"{text!r} is not in the model's vocabulary"
