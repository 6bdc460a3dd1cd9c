"""Names of the model's inputs and outputs, the same in ONNX and in the reading."""

from collections.abc import Collection
from dataclasses import dataclass

from model_export.imports.keras.network import Input, Network, Value


@dataclass(frozen=True, slots=True)
class Signature:
    """The sequence comes first and is called `input`; the first output is called `output`.

    Others have the name of their layer. `tokens` are the inputs that are rows of an embedding.
    """

    inputs: dict[str, Input]
    outputs: dict[str, Value]
    tokens: frozenset[str]


def signature_of(network: Network) -> Signature:
    """Names for everything that goes in and comes out; none is given twice."""
    given = sorted(network.inputs, key=lambda item: not _is_sequence(network, item))
    inputs: dict[str, Input] = {}
    for item in given:
        inputs[_free(item.layer if inputs else "input", inputs)] = item
    outputs: dict[str, Value] = {}
    for value in network.outputs:
        taken = {*inputs, *outputs}
        outputs[_free(network.maker(value) if outputs else "output", taken)] = value
    tokens = {name for name, item in inputs.items() if network.is_tokens(item.value)}
    return Signature(inputs, outputs, frozenset(tokens))


def _is_sequence(network: Network, given: Input) -> bool:
    return len(given.shape) == (2 if network.is_tokens(given.value) else 3)


def _free(wanted: str, taken: Collection[str]) -> str:
    name, number = wanted, 1
    while name in taken or (name in ("input", "output") and name != wanted):
        number += 1
        name = f"{wanted}_{number}"
    return name
