"""A model as a list of computations in order, whatever models stood within it."""

from dataclasses import dataclass, field

from model_export.imports.keras import layers
from model_export.imports.keras.layers import Layer, Shape


class Value(str):
    """The name of a tensor, told by its type from text that stands in the JSON."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Input:
    """What the model is fed; `shape` has the batch first."""

    value: Value
    layer: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class Step:
    """One call of a layer; each value is made once."""

    name: str
    layer: Layer
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]


@dataclass(slots=True)
class Network:
    """The whole model.

    `left_out` names layers that only act in training, `precisions` other ones than float32, and
    `notes` are sentences about what was taken for granted.
    """

    inputs: list[Input] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    shapes: dict[Value, Shape] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    precisions: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    def is_tokens(self, value: Value) -> bool:
        """Whether a value is nothing but the number of a row in some Embedding."""
        users = [step.layer for step in self.steps if value in step.inputs]
        used = bool(users) and value not in self.outputs
        return used and all(isinstance(layer, layers.Embedding) for layer in users)

    def maker(self, value: Value) -> str:
        """The name of the layer that a value comes from."""
        makers = {made: step.name for step in self.steps for made in step.outputs}
        makers.update({given.value: given.layer for given in self.inputs})
        return makers[value]

    def recurrent(self) -> "list[tuple[Step, layers.Gru]]":
        """Every GRU with the call that it is part of."""
        found = []
        for step in self.steps:
            if isinstance(step.layer, layers.Gru):
                found.append((step, step.layer))
            if isinstance(step.layer, layers.Bidirectional):
                found += [(step, step.layer.forward), (step, step.layer.backward)]
        return found
