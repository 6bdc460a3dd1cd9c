"""How the configuration of a Functional model says that a layer is called, in both of its forms.

Keras 3   {"args": [tensor, …], "kwargs": {…}}; a tensor has `keras_history` [layer, call, output]
Keras 2   [[layer, call, output, {kwargs}], …]; a constant has the layer `_CONSTANT_VALUE`
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeGuard

from model_export.errors import ModelRefused
from model_export.imports.keras.network import Value
from model_export.imports.keras.settings import Json, brief

_CONSTANT = "_CONSTANT_VALUE"


@dataclass(frozen=True, slots=True)
class Tensor:
    """One output of one call of a layer."""

    layer: str
    call: int
    output: int


@dataclass(frozen=True, slots=True)
class Call:
    """What a layer is called with: tensors, and anything else as it stands in the JSON."""

    operands: tuple[Json, ...]
    keywords: Mapping[str, Json]

    def tensors(self) -> Iterator[Tensor]:
        """Every tensor that the call needs."""
        yield from _tensors([*self.operands, *self.keywords.values()])

    def filled(self, known: "Mapping[Tensor, Value]") -> "Call":
        """The call with a value in place of each tensor."""

        def fill(item: Json) -> Json:
            if isinstance(item, list):
                return [fill(inner) for inner in item]
            return known[item] if isinstance(item, Tensor) else item

        keywords = {key: fill(value) for key, value in self.keywords.items()}
        return Call(tuple(map(fill, self.operands)), keywords)


def read_calls(nodes: Json) -> list[Call]:
    """The calls of one layer, from its `inbound_nodes`."""
    if not isinstance(nodes, list):
        raise ModelRefused(f"its 'inbound_nodes' are {brief(nodes)}")
    return [_of_keras_3(node) if isinstance(node, dict) else _of_keras_2(node) for node in nodes]


def read_tensors(references: Json) -> list[Tensor]:
    """`input_layers` or `output_layers`: one, a list or a dictionary of [layer, call, output]."""
    if _is_reference(references):
        return [Tensor(*references)]
    if isinstance(references, dict):
        references = [references[key] for key in sorted(references)]  # as Keras orders them
    if not isinstance(references, list):
        raise ModelRefused(f"its inputs or outputs are {brief(references)}")
    return [tensor for item in references for tensor in read_tensors(item)]


def _tensors(item: Json) -> Iterator[Tensor]:
    if isinstance(item, Tensor):
        yield item
    elif isinstance(item, list):
        for inner in item:
            yield from _tensors(inner)


def _of_keras_3(node: dict[str, Json]) -> Call:
    arguments, keywords = node.get("args"), node.get("kwargs", {})
    if not isinstance(arguments, list) or not isinstance(keywords, dict):
        raise ModelRefused(f"it is called with {brief(node)}")
    values = [_value(argument) for argument in arguments]
    return Call(tuple(values), {key: _value(value) for key, value in keywords.items()})


def _value(argument: Json) -> Json:
    if isinstance(argument, list):
        return [_value(item) for item in argument]
    if not isinstance(argument, dict) or argument.get("class_name") != "__keras_tensor__":
        return argument
    config = argument.get("config")
    history = config.get("keras_history") if isinstance(config, dict) else None
    if not _is_reference(history):
        raise ModelRefused(f"it is called with {brief(argument)}")
    return Tensor(*history)


def _of_keras_2(node: Json) -> Call:
    if not isinstance(node, list) or not node:
        raise ModelRefused(f"it is called with {brief(node)}")
    items = [node] if isinstance(node[0], str) else node
    operands, keywords = [], {}
    for item in items:
        if not isinstance(item, list) or len(item) not in (3, 4):
            raise ModelRefused(f"it is called with {brief(item)}")
        operands.append(_old_value(item[:3]))
        given = item[3] if len(item) > 3 else {}
        if not isinstance(given, dict):
            raise ModelRefused(f"it is called with {brief(given)}")
        keywords.update({key: _old_value(value) for key, value in given.items()})
    return Call(tuple(operands), keywords)


def _old_value(value: Json) -> Json:
    if isinstance(value, list) and len(value) == 3 and value[0] == _CONSTANT:
        return value[2]
    if _is_reference(value):
        return Tensor(*value)
    if isinstance(value, list):
        return [_old_value(item) for item in value]
    return value


def _is_reference(value: Json) -> TypeGuard[list[Json]]:
    return isinstance(value, list) and len(value) == 3 and list(map(type, value)) == [str, int, int]
