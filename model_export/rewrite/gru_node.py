"""A GRU node of an ONNX graph, read and checked."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from model_export.convention import ONNX_ORDER, keep_to_update
from model_export.errors import ExportError
from service.bundle.manifest import Reset

_DEFAULT_ACTIVATIONS = ["sigmoid", "tanh"]
_X, _W, _R, _B, _SEQUENCE_LENS, _INITIAL_H = range(6)
INITIAL_H = _INITIAL_H


@dataclass(frozen=True, slots=True)
class Weights:
    """One layer's weights in the convention and the order of the equations.

    input_weights [3, H, I], hidden_weights [3, H, H] and biases [3, H] hold W, U and b for reset,
    update, candidate; candidate_bias [H] is c_n of reset "after" and zero with reset "before".
    """

    input_weights: NDArray[np.float32]
    hidden_weights: NDArray[np.float32]
    biases: NDArray[np.float32]
    candidate_bias: NDArray[np.float32]

    @property
    def hidden_size(self) -> int:
        return int(self.hidden_weights.shape[-1])


@dataclass(frozen=True, slots=True)
class GruNode:
    """A GRU node that runs forward through time with the standard activations."""

    node: ir.Node
    reset: Reset
    weights: Weights

    @property
    def name(self) -> str:
        return _name(self.node)

    @property
    def input(self) -> ir.Value:
        """X [T, B, I]."""
        return _required(self.node, _X)


def read_gru_nodes(graph: ir.Graph) -> list[GruNode]:
    """Every GRU node in the order of computation.

    Raises ExportError naming the node that cannot be served in sessions, and why.
    """
    nodes = [node for node in graph if node.op_type == "GRU"]
    if not nodes:
        raise ExportError("the model has no GRU node at the top level of its graph")
    read = [_read(node) for node in nodes]
    variants = {node.reset for node in read}
    if len(variants) > 1:
        raise ExportError("the model mixes reset before and reset after; use one for all layers")
    return read


def _read(node: ir.Node) -> GruNode:
    _refuse_unusual(node)
    after = node.attributes.get_int("linear_before_reset", 0)
    reset: Reset = "after" if after else "before"
    return GruNode(node, reset, _read_weights(node, reset))


def _refuse_unusual(node: ir.Node) -> None:
    attributes = node.attributes
    direction = attributes.get_string("direction", "forward")
    activations = [name.lower() for name in attributes.get_strings("activations", ())]
    reasons = {
        f"runs {direction} through time, so its output needs inputs that a session has not seen "
        "yet": direction != "forward",
        f"uses the activations {', '.join(activations)} instead of sigmoid and tanh": (
            activations not in ([], _DEFAULT_ACTIVATIONS)
        ),
        "clips its pre-activations": "clip" in attributes,
        "has layout=1; export it with time before batch": attributes.get_int("layout", 0) != 0,
        "has sequence_lens; export it without": _optional(node, _SEQUENCE_LENS) is not None,
    }
    for reason, applies in reasons.items():
        if applies:
            raise ExportError(f"GRU node {_name(node)!r} {reason}")


def _read_weights(node: ir.Node, reset: Reset) -> Weights:
    input_weights = _in_our_order(_constant(node, _W)[0])
    hidden_weights = _in_our_order(_constant(node, _R)[0])
    hidden_size = hidden_weights.shape[-1]
    if _optional(node, _B) is None:
        both = np.zeros(6 * hidden_size, np.float32)
    else:
        both = _constant(node, _B)[0]
    biases = _in_our_order(both[: 3 * hidden_size])
    recurrent = _in_our_order(both[3 * hidden_size :])
    candidate_bias = np.zeros(hidden_size, np.float32)
    if reset == "after":
        # Of the two biases only the candidate's recurrent one is inside r ⊙ (…).
        candidate_bias = recurrent[2].copy()
        recurrent[2] = 0
    return Weights(input_weights, hidden_weights, biases + recurrent, candidate_bias)


def _in_our_order(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """[3H, …] in ONNX's order and convention as [3, H, …]: reset, update, candidate."""
    blocks = dict(zip(ONNX_ORDER, rows.reshape(3, -1, *rows.shape[1:]), strict=True))
    return np.stack([blocks["reset"], keep_to_update(blocks["keep"]), blocks["candidate"]])


def _constant(node: ir.Node, index: int) -> NDArray[np.float32]:
    value = _required(node, index)
    tensor = ir.convenience.get_const_tensor(value)
    if tensor is None:
        raise ExportError(
            f"GRU node {_name(node)!r}: {value.name} is computed, not stored; "
            "fold the constants of the model first"
        )
    return tensor.numpy().astype(np.float32)


def _optional(node: ir.Node, index: int) -> ir.Value | None:
    return node.inputs[index] if index < len(node.inputs) else None


def _required(node: ir.Node, index: int) -> ir.Value:
    value = _optional(node, index)
    if value is None:
        raise ExportError(f"GRU node {_name(node)!r} lacks its input {index}")
    return value


def _name(node: ir.Node) -> str:
    return node.name or "without a name"
