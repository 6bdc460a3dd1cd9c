"""The configuration of one layer, of which no field is passed over."""

import math
from collections.abc import Mapping
from typing import Any, TypeVar

from model_export.errors import ModelRefused

LARGEST = 2**31 - 1
"""Whole numbers beyond are no counts, sizes or indices."""

Choice = TypeVar("Choice", bound=str)

Json = Any
"""A value that came out of JSON; whoever uses it checks what it is."""

_NO_EFFECT = {"name", "trainable", "autocast", "seed", "implementation", "unroll", "use_cudnn"}
_NO_EFFECT |= {"batch_input_shape", "batch_shape", "input_shape", "input_length"}
_NO_EFFECT_ENDINGS = ("_initializer", "_regularizer", "_constraint")
"""Fields that say how a layer is trained, built or computed, not what it computes."""

_PACKAGES = {"keras", "tf_keras", "tensorflow"}

_PRECISIONS = {"float64", "float16", "bfloat16", "mixed_float16", "mixed_bfloat16"}


class Settings:
    """Reads fields by name and type; `finish` refuses whatever was not asked for."""

    def __init__(self, config: Json) -> None:
        if not isinstance(config, dict):
            raise ModelRefused("its configuration is no JSON object")
        self._config: Mapping[str, Json] = config
        self._read = {"dtype"}
        self.precision = self._precision()

    def raw(self, key: str, default: Json = None) -> Json:
        """The field as it stands in the JSON."""
        self._read.add(key)
        return self._config.get(key, default)

    def flag(self, key: str, default: bool = False) -> bool:
        value = self.raw(key, default)
        if not isinstance(value, bool):
            raise self._unusable(key, value, "true or false")
        return value

    def whole(self, key: str, default: int | None = None) -> int:
        """A whole number, at least 1; also as the only element of a list."""
        value = self.raw(key, default)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if not is_whole(value) or value < 1:
            raise self._unusable(key, value, f"a whole number from 1 to {LARGEST}")
        return int(value)

    def wholes(self, key: str, lowest: int) -> tuple[int, ...]:
        """A whole number or a list of them, none below `lowest`."""
        value = self.raw(key)
        items = value if isinstance(value, list) else [value]
        if not all(is_whole(item) and item >= lowest for item in items):
            raise self._unusable(key, value, f"whole numbers from {lowest} to {LARGEST}")
        return tuple(items)

    def number(self, key: str, default: float | None = None) -> float:
        value = self.raw(key, default)
        if not is_number(value):
            raise self._unusable(key, value, "a finite number")
        return float(value)

    def numbers(self, key: str) -> tuple[float, ...]:
        """A number or a (nested) list of them, flat."""
        value = self.raw(key)
        flat = _flat(value)
        if not flat or not all(map(is_number, flat)):
            raise self._unusable(key, value, "finite numbers")
        return tuple(float(item) for item in flat)

    def choice(
        self, key: str, choices: tuple[Choice, ...], default: Choice | None = None
    ) -> Choice:
        value = self.raw(key, default)
        for one in choices:
            if value == one:
                return one
        raise self._unusable(key, value, " or ".join(map(repr, choices)))

    def finish(self) -> None:
        """Raises ModelRefused for a field that is set and was not asked for."""
        for key, value in self._config.items():
            known = key in self._read or key in _NO_EFFECT or key.endswith(_NO_EFFECT_ENDINGS)
            # A feature that is switched off changes nothing.
            if not known and value not in (None, False, {}):
                raise ModelRefused(f"its field {key!r} ({brief(value)}) is not known here")

    def _precision(self) -> str | None:
        """Raises ModelRefused for weights that are no plain numbers, such as int8 with scales."""
        policy = self._config.get("dtype")
        name = policy
        if isinstance(policy, dict):
            inner = policy.get("config")
            name = inner.get("name") if isinstance(inner, dict) else None
        if name in (None, "float32"):
            return None
        if not isinstance(name, str) or name not in _PRECISIONS:
            raise self._unusable("dtype", policy, "a precision of floating point")
        return name

    @staticmethod
    def _unusable(key: str, value: Json, expected: str) -> ModelRefused:
        return ModelRefused(f"its field {key!r} is {brief(value)}; {expected} can be imported")


def expect_own(record: Mapping[str, Json]) -> None:
    """Raises ModelRefused for a class that only shares its name with one of Keras's own."""
    module, registered = record.get("module"), record.get("registered_name")
    is_own = module is None or str(module).split(".")[0] in _PACKAGES
    if not is_own or ">" in str(registered):
        whose = registered if ">" in str(registered) else module
        raise ModelRefused(f"its class is of {brief(whose)}, whose code is not in the file")


def is_whole(value: Json) -> bool:
    """Whether a JSON value is a whole number of a size that axes and counts can have."""
    return type(value) is int and abs(value) <= LARGEST


def is_number(value: Json) -> bool:
    """Whether a JSON value is a finite number."""
    return is_whole(value) or (type(value) is float and math.isfinite(value))


def brief(value: Json) -> str:
    """A JSON value for a message."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _flat(value: Json) -> list[Json]:
    if not isinstance(value, list):
        return [value]
    return [leaf for item in value for leaf in _flat(item)]
