"""A GRU node of an ONNX graph, read and checked."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from model_export.convention import ONNX_ORDER, keep_to_update
from model_export.errors import ModelRefused
from service.bundle.manifest import Activation, Reset

X, W, R, BIAS, SEQUENCE_LENS, INITIAL_H = range(6)

SIGMOID, TANH = Activation(name="Sigmoid"), Activation(name="Tanh")

_DEFAULT_ALPHA = {"LeakyRelu": 0.01, "ThresholdedRelu": 1.0, "HardSigmoid": 0.2, "Elu": 1.0}
_DEFAULT_BETA = {"HardSigmoid": 0.5}
_NEEDS_BOTH = {"Affine", "ScaledTanh"}
_KNOWN = {
    name.lower(): name
    for name in (
        "Relu",
        "Tanh",
        "Sigmoid",
        "Affine",
        "LeakyRelu",
        "ThresholdedRelu",
        "ScaledTanh",
        "HardSigmoid",
        "Elu",
        "Softsign",
        "Softplus",
    )
}


@dataclass(frozen=True, slots=True)
class Weights:
    """One layer's weights in the convention and the order of the equations.

    input_weights [3, H, I], hidden_weights [3, H, H] and biases [3, H] hold W, U and b for reset,
    update, candidate; candidate_bias [H] is c_n of reset "after" and zero with reset "before".
    Where the gates' activation is no sigmoid, 1 − f(a) is not f(−a): `keeps` says that the rows
    of update are those of keep, as the file has them.
    """

    input_weights: NDArray[np.float32]
    hidden_weights: NDArray[np.float32]
    biases: NDArray[np.float32]
    candidate_bias: NDArray[np.float32]
    keeps: bool = False

    @property
    def hidden_size(self) -> int:
        return int(self.hidden_weights.shape[-1])


@dataclass(frozen=True, slots=True)
class GruNode:
    """A GRU node that runs forward through time."""

    node: ir.Node
    reset: Reset
    weights: Weights
    gate_activation: Activation = SIGMOID
    candidate_activation: Activation = TANH
    clip: float | None = None

    @property
    def name(self) -> str:
        return name_of(self.node)

    @property
    def input(self) -> ir.Value:
        """X [T, B, I]."""
        return _required(self.node, X)


def read_gru(node: ir.Node) -> GruNode:
    """Raises ModelRefused naming the node and what about it cannot be read."""
    after = node.attributes.get_int("linear_before_reset", 0)
    reset: Reset = "after" if after else "before"
    gates, candidate = _activations(node)
    clip = node.attributes.get_float("clip", 0.0) or None
    if clip is not None and not clip > 0:
        raise ModelRefused(f"GRU node {name_of(node)!r} clips at {clip}, which is not above zero")
    weights = _read_weights(node, reset, keeps=gates.name != "Sigmoid")
    return GruNode(node, reset, weights, gates, candidate, clip)


def is_forward(node: ir.Node) -> bool:
    direction = node.attributes.get_string("direction", "forward")
    if direction not in ("forward", "reverse", "bidirectional"):
        raise ModelRefused(
            f"{node.op_type} node {name_of(node)!r} has the unknown direction {direction!r}"
        )
    return direction == "forward"


def _activations(node: ir.Node) -> tuple[Activation, Activation]:
    """Those of the gates and of the candidate."""
    names = node.attributes.get_strings("activations", ()) or ("Sigmoid", "Tanh")
    alphas = list(node.attributes.get_floats("activation_alpha", ()))
    betas = list(node.attributes.get_floats("activation_beta", ()))
    read = []
    for given in names:
        name = _KNOWN.get(given.lower())
        if name is None:
            raise ModelRefused(f"GRU node {name_of(node)!r} has the unknown activation {given!r}")
        # As ONNX Runtime reads them: each activation that has one takes the next number.
        alpha = beta = None
        if name in _DEFAULT_ALPHA or name in _NEEDS_BOTH:
            alpha = alphas.pop(0) if alphas else _DEFAULT_ALPHA.get(name)
        if name in _DEFAULT_BETA or name in _NEEDS_BOTH:
            beta = betas.pop(0) if betas else _DEFAULT_BETA.get(name)
        if name in _NEEDS_BOTH and (alpha is None or beta is None):
            raise ModelRefused(f"GRU node {name_of(node)!r}: {name} lacks its alpha or beta")
        read.append(Activation(name=name, alpha=alpha, beta=beta))
    return read[0], read[1]


def _check_shapes(node: ir.Node) -> None:
    """W [1, 3H, I], R [1, 3H, H] and B [1, 6H]."""
    size = _constant(node, R).shape[-1] if _constant(node, R).ndim else 0
    width = _constant(node, W).shape[-1] if _constant(node, W).ndim else 0
    wanted = {W: (1, 3 * size, width), R: (1, 3 * size, size), BIAS: (1, 6 * size)}
    for index, shape in wanted.items():
        value = node_input(node, index)
        if value is not None and (_constant(node, index).shape != shape or not all(shape)):
            raise ModelRefused(
                f"GRU node {name_of(node)!r}: its weights {value.name!r} have the shape "
                f"{list(_constant(node, index).shape)}, which does not fit"
            )
    said = node.attributes.get_int("hidden_size", size)
    if said != size:
        raise ModelRefused(
            f"GRU node {name_of(node)!r}: its hidden_size is {said}, its weights are of {size}"
        )


def _read_weights(node: ir.Node, reset: Reset, *, keeps: bool) -> Weights:
    _check_shapes(node)
    input_weights = _in_our_order(_constant(node, W)[0], keeps=keeps)
    hidden_weights = _in_our_order(_constant(node, R)[0], keeps=keeps)
    hidden_size = hidden_weights.shape[-1]
    if node_input(node, BIAS) is None:
        both = np.zeros(6 * hidden_size, np.float32)
    else:
        both = _constant(node, BIAS)[0]
    biases = _in_our_order(both[: 3 * hidden_size], keeps=keeps)
    recurrent = _in_our_order(both[3 * hidden_size :], keeps=keeps)
    candidate_bias = np.zeros(hidden_size, np.float32)
    if reset == "after":
        # Of the two biases only the candidate's recurrent one is inside r ⊙ (…).
        candidate_bias = recurrent[2].copy()
        recurrent[2] = 0
    return Weights(input_weights, hidden_weights, biases + recurrent, candidate_bias, keeps)


def _in_our_order(rows: NDArray[np.float32], *, keeps: bool) -> NDArray[np.float32]:
    """[3H, …] in ONNX's order and convention as [3, H, …]: reset, update, candidate."""
    blocks = dict(zip(ONNX_ORDER, rows.reshape(3, -1, *rows.shape[1:]), strict=True))
    update = blocks["keep"] if keeps else keep_to_update(blocks["keep"])
    return np.stack([blocks["reset"], update, blocks["candidate"]])


def _constant(node: ir.Node, index: int) -> NDArray[np.float32]:
    value = _required(node, index)
    tensor = ir.convenience.get_const_tensor(value)
    if tensor is None:
        raise ModelRefused(
            f"GRU node {name_of(node)!r}: its weights {value.name!r} are computed from an input, "
            "not stored"
        )
    numbers = tensor.numpy()
    if numbers.dtype.kind != "f" or not np.isfinite(numbers).all():
        raise ModelRefused(
            f"GRU node {name_of(node)!r}: its weights {value.name!r} are not all finite numbers"
        )
    return np.asarray(numbers, np.float32)


def node_input(node: ir.Node, index: int) -> ir.Value | None:
    return node.inputs[index] if index < len(node.inputs) else None


def _required(node: ir.Node, index: int) -> ir.Value:
    value = node_input(node, index)
    if value is None:
        raise ModelRefused(f"GRU node {name_of(node)!r} lacks its input {index}")
    return value


def name_of(node: ir.Node) -> str:
    return node.name or "without a name"
