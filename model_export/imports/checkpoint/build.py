"""The stages of a checkpoint as an ONNX model with GRU nodes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from model_export.convention import TORCH_BLOCKS_IN_ONNX_ORDER
from model_export.imports.checkpoint.stack import (
    Activation,
    BatchNorm,
    Direction,
    Embedding,
    Gru,
    LayerNorm,
    Linear,
    Pool,
    PRelu,
    Scaling,
    Stack,
)

OPSET = 20
Attribute = int | float | str | list[int]
_IR_VERSION = 10
_SIMPLE: dict[str, tuple[str, dict[str, Attribute]]] = {
    "relu": ("Relu", {}),
    "tanh": ("Tanh", {}),
    "sigmoid": ("Sigmoid", {}),
    "softmax": ("Softmax", {"axis": -1}),
    "log_softmax": ("LogSoftmax", {"axis": -1}),
    "gelu": ("Gelu", {"approximate": "none"}),
    "gelu_tanh": ("Gelu", {"approximate": "tanh"}),
    "selu": ("Selu", {}),
    "softplus": ("Softplus", {}),
    "hardsigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "hardswish": ("HardSwish", {}),
}
_WITH_ALPHA = {"leaky_relu": "LeakyRelu", "elu": "Elu"}
_CLIPPED = {"relu6": (0.0, 6.0), "hardtanh": (-1.0, 1.0)}


@dataclass(frozen=True, slots=True)
class Built:
    """A model, and the names that the results of the stages have in it."""

    model: onnx.ModelProto
    names: tuple[str, ...]


def build(stack: Stack) -> Built:
    """`input` [batch, time, F], or int64 [batch, time] for tokens, and `output`.

    The output is [batch, time, O], or [batch, O] behind a part that leaves one step. Both names
    and the shapes' `batch` and `time` are fixed; weights become float32.
    """
    graph = _Graph()
    value, names = "input", []
    for index, stage in enumerate(stack.stages):
        graph.scope = f"{index}/{getattr(stage, 'name', type(stage).__name__.lower())}"
        value = _EMIT[type(stage)](graph, stage, value)
        names.append(value)
    graph.nodes.append(helper.make_node("Identity", [value], ["output"], name="output"))
    steps = ["time"] if stack.every_step else []
    into = (
        helper.make_tensor_value_info("input", TensorProto.INT64, ["batch", "time"])
        if stack.takes_tokens
        else helper.make_tensor_value_info(
            "input", TensorProto.FLOAT, ["batch", "time", stack.input_width]
        )
    )
    output = helper.make_tensor_value_info(
        "output", TensorProto.FLOAT, ["batch", *steps, stack.output_width]
    )
    made = helper.make_graph(graph.nodes, "checkpoint", [into], [output], graph.initializers)
    model = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR_VERSION
    )
    onnx.checker.check_model(model, full_check=True)
    return Built(model, tuple(names))


class _Graph:
    """Nodes and constants under unique names that begin with `scope`."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.scope = ""
        self.end: tuple[str, int] = ("", 0)
        """Y_h [directions, B, H] of the last GRU node, and the number of its directions."""

    def op(self, op_type: str, *inputs: str, **attributes: Attribute) -> str:
        """A node with one output."""
        return self.node(op_type, inputs, 1, attributes)[0]

    def node(
        self, op_type: str, inputs: Sequence[str], outputs: int, attributes: dict[str, Attribute]
    ) -> list[str]:
        name = self._name(op_type)
        results = [name, *(f"{name}_{index}" for index in range(1, outputs))]
        node = helper.make_node(op_type, list(inputs), results, name)
        node.attribute.extend(helper.make_attribute(key, of) for key, of in attributes.items())
        self.nodes.append(node)
        return results

    def weights(self, name: str, array: NDArray[np.float64]) -> str:
        return self._constant(name, array.astype(np.float32))

    def integers(self, *values: int) -> str:
        return self._constant("integers", np.array(values, np.int64))

    def index(self, value: int) -> str:
        """A scalar, which takes the axis away when it picks from one."""
        return self._constant("index", np.array(value, np.int64))

    def _constant(self, name: str, array: NDArray[Any]) -> str:
        name = self._name(name)
        self.initializers.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def _name(self, what: str) -> str:
        return f"{self.scope}/{what}_{len(self.nodes) + len(self.initializers)}"


def _embedding(graph: _Graph, stage: Embedding, tokens: str) -> str:
    return graph.op("Gather", graph.weights("weight", stage.weight), tokens, axis=0)


def _gru(graph: _Graph, stage: Gru, x: str) -> str:
    """ONNX wants time first, and gives [T, directions, B, H]."""
    hidden, lanes = stage.directions[0].hidden_size, len(stage.directions)
    stacked = map(np.stack, zip(*map(_in_onnx_order, stage.directions), strict=True))
    weights = [graph.weights(name, array) for name, array in zip("WRB", stacked, strict=True)]
    attributes: dict[str, Attribute] = {
        "hidden_size": hidden,
        "direction": "forward" if lanes == 1 else "bidirectional",
        "linear_before_reset": 1,
    }
    by_time = graph.op("Transpose", x, perm=[1, 0, 2])
    states, end = graph.node("GRU", [by_time, *weights], 2, attributes)
    graph.end = end, lanes
    if lanes == 1:
        one_lane = graph.op("Squeeze", states, graph.integers(1))
        return graph.op("Transpose", one_lane, perm=[1, 0, 2])
    side_by_side = graph.op("Transpose", states, perm=[2, 0, 1, 3])
    return graph.op("Reshape", side_by_side, graph.integers(0, 0, lanes * hidden))


def _in_onnx_order(direction: Direction) -> tuple[NDArray[np.float64], ...]:
    """W [3H, I], R [3H, H] and B [6H] of one direction."""

    def blocks(array: NDArray[np.float64]) -> NDArray[np.float64]:
        thirds = np.split(array, 3)
        return np.concatenate([thirds[index] for index in TORCH_BLOCKS_IN_ONNX_ORDER])

    biases = (blocks(direction.input_biases), blocks(direction.hidden_biases))
    return (
        blocks(direction.input_weights),
        blocks(direction.hidden_weights),
        np.concatenate(biases),
    )


def _linear(graph: _Graph, stage: Linear, x: str) -> str:
    product = graph.op("MatMul", x, graph.weights("weight", stage.weight.T))
    if stage.bias is None:
        return product
    return graph.op("Add", product, graph.weights("bias", stage.bias))


def _batch_norm(graph: _Graph, stage: BatchNorm, x: str) -> str:
    scale = stage.weight / np.sqrt(stage.variance + stage.epsilon)
    centred = graph.op("Sub", x, graph.weights("mean", stage.mean))
    scaled = graph.op("Mul", centred, graph.weights("scale", scale))
    return graph.op("Add", scaled, graph.weights("bias", stage.bias))


def _layer_norm(graph: _Graph, stage: LayerNorm, x: str) -> str:
    weight, bias = graph.weights("weight", stage.weight), graph.weights("bias", stage.bias)
    return graph.op("LayerNormalization", x, weight, bias, axis=-1, epsilon=stage.epsilon)


def _prelu(graph: _Graph, stage: PRelu, x: str) -> str:
    return graph.op("PRelu", x, graph.weights("slope", stage.slope))


def _activation(graph: _Graph, stage: Activation, x: str) -> str:
    if stage.kind in _WITH_ALPHA:
        return graph.op(_WITH_ALPHA[stage.kind], x, alpha=stage.value)
    if stage.kind in _CLIPPED:
        low, high = (graph.weights("bound", np.array(bound)) for bound in _CLIPPED[stage.kind])
        return graph.op("Clip", x, low, high)
    if stage.kind == "silu":
        return graph.op("Mul", x, graph.op("Sigmoid", x))
    op_type, attributes = _SIMPLE[stage.kind]
    return graph.op(op_type, x, **attributes)


def _pool(graph: _Graph, stage: Pool, x: str) -> str:
    if stage.kind == "last":
        return graph.op("Gather", x, graph.index(-1), axis=1)
    if stage.kind in ("mean", "max"):
        op_type = "ReduceMean" if stage.kind == "mean" else "ReduceMax"
        return graph.op(op_type, x, graph.integers(1), keepdims=0)
    end, lanes = graph.end
    if lanes == 1:
        return graph.op("Squeeze", end, graph.integers(0))
    by_batch = graph.op("Transpose", end, perm=[1, 0, 2])
    return graph.op("Reshape", by_batch, graph.integers(0, -1))


def _scaling(graph: _Graph, stage: Scaling, x: str) -> str:
    centre, spread = graph.weights("centre", stage.centre), graph.weights("spread", stage.spread)
    low = graph.weights("low", np.array(stage.low))
    if stage.inverse:
        raised = graph.op("Sub", x, low) if stage.low else x
        return graph.op("Add", graph.op("Mul", raised, spread), centre)
    scaled = graph.op("Div", graph.op("Sub", x, centre), spread)
    return graph.op("Add", scaled, low) if stage.low else scaled


_EMIT: dict[type, Callable[[_Graph, Any, str], str]] = {
    Embedding: _embedding,
    Gru: _gru,
    Linear: _linear,
    BatchNorm: _batch_norm,
    LayerNorm: _layer_norm,
    PRelu: _prelu,
    Activation: _activation,
    Pool: _pool,
    Scaling: _scaling,
}
