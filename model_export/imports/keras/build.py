"""A network of layers as ONNX, its recurrent layers as GRU nodes.

Keras's kernels have the gates in the order and in the sense of ONNX: z, which keeps, r, candidate.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from model_export.errors import ModelRefused
from model_export.imports.keras import layers
from model_export.imports.keras.activations import Activation
from model_export.imports.keras.layers import Layer, Shape, axis_of
from model_export.imports.keras.network import Network, Step, Value
from model_export.imports.keras.signature import Signature

OPSET = 20
IR_VERSION = 10

BATCH, TIME = "batch", "time"


@dataclass(frozen=True, slots=True)
class Built:
    """A model, and the names that the values of the network have in it."""

    model: onnx.ModelProto
    names: Mapping[Value, str]


def build(network: Network, signature: Signature) -> Built:
    """The model in opset 20, checked; sizes that are free are called `batch` and `time`.

    Raises ModelRefused where an activation cannot stand in a GRU node, or a weight does not fit
    float32.
    """
    graph = _Graph(signature.tokens)
    values = {item.value: name for name, item in signature.inputs.items()}
    for step in network.steps:
        try:
            outputs = _emit(graph.scope(step.name), step, [values[v] for v in step.inputs], network)
        except ModelRefused as error:
            raise ModelRefused(f"layer {step.name!r}: {error}") from error
        values.update(zip(step.outputs, outputs, strict=True))
    for name, value in signature.outputs.items():
        graph.nodes.append(helper.make_node("Identity", [values[value]], [name], name=name))
    return Built(_model(graph, network, signature), values)


def _model(graph: "_Graph", network: Network, signature: Signature) -> onnx.ModelProto:
    inputs = [
        helper.make_tensor_value_info(name, *_input_type(name, item.shape, signature))
        for name, item in signature.inputs.items()
    ]
    outputs = [
        helper.make_tensor_value_info(
            name, TensorProto.FLOAT, _output_sizes(network.shapes[value], network)
        )
        for name, value in signature.outputs.items()
    ]
    nodes, initializers = _needed(graph, set(signature.outputs))
    made = helper.make_graph(nodes, "keras", inputs, outputs, initializers)
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(made, opset_imports=[opset], ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    return model


def _needed(graph: "_Graph", used: set[str]) -> tuple[list[onnx.NodeProto], list[TensorProto]]:
    """Nodes and initializers that some output of the model depends on, in their order."""
    nodes: list[onnx.NodeProto] = []
    for node in reversed(graph.nodes):
        if used & set(node.output):
            nodes.insert(0, node)
            used = used | set(node.input)
    return nodes, [tensor for tensor in graph.initializers if tensor.name in used]


def _input_type(name: str, shape: Shape, signature: Signature) -> tuple[int, list[str | int]]:
    is_tokens = name in signature.tokens
    sizes: list[str | int] = [BATCH]
    for axis, size in enumerate(shape[1:], start=1):
        is_time = axis == 1 and (is_tokens or len(shape) > 2)
        sizes.append(size if size is not None else (TIME if is_time else f"{name}_{axis}"))
    return (TensorProto.INT64 if is_tokens else TensorProto.FLOAT), sizes


def _output_sizes(shape: Shape, network: Network) -> list[str | int | None]:
    time = TIME if all(_keeps_time(step.layer) for step in network.steps) else None
    rest = [time if axis == 1 and size is None else size for axis, size in enumerate(shape)][1:]
    return [BATCH, *rest]


def _keeps_time(layer: Layer) -> bool:
    """Whether as many time steps come out as went in, where their number is free."""
    if isinstance(layer, layers.Conv1D):
        width = len(layer.kernel)
        return (width - 1) * layer.dilation == layer.before + layer.after
    return not isinstance(layer, layers.Pool1D | layers.Pad | layers.Select | layers.Concatenate)


Attribute = int | float | str | Sequence[int] | Sequence[float] | Sequence[str]


class _Graph:
    """Nodes and initializers with names that are given once."""

    def __init__(self, tokens: frozenset[str]) -> None:
        self.tokens = tokens
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[TensorProto] = []
        self._names: set[str] = set()

    def scope(self, layer: str) -> "_Scope":
        return _Scope(self, layer)

    def name(self, wanted: str) -> str:
        name, number = wanted, 1
        while name in self._names:
            number += 1
            name = f"{wanted}_{number}"
        self._names.add(name)
        return name


class _Scope:
    """Makes the nodes of one layer."""

    def __init__(self, graph: _Graph, layer: str) -> None:
        self._graph = graph
        self._layer = layer

    @property
    def tokens(self) -> frozenset[str]:
        """Inputs of the model that are whole numbers."""
        return self._graph.tokens

    def op(self, op_type: str, *inputs: str, **attributes: Attribute) -> str:
        """A node with one output, which is returned."""
        return self.node(op_type, inputs, 1, **attributes)[0]

    def node(
        self, op_type: str, inputs: Sequence[str], outputs: int, **attributes: Attribute
    ) -> list[str]:
        name = self._graph.name(f"{self._layer}/{op_type}")
        made = [f"{name}:{index}" for index in range(outputs)]
        node = helper.make_node(op_type, list(inputs), made, name=name)
        node.attribute.extend(helper.make_attribute(*item) for item in sorted(attributes.items()))
        self._graph.nodes.append(node)
        return made

    def weights(self, what: str, array: NDArray[np.float64] | float) -> str:
        """An initializer in float32. Raises ModelRefused where a number is too large for it."""
        wide = np.asarray(array, np.float64)
        if wide.size and np.abs(wide).max() > np.finfo(np.float32).max:
            raise ModelRefused(f"{what} holds numbers that do not fit float32")
        return self._initializer(what, wide.astype(np.float32))

    def whole(self, what: str, *numbers: int) -> str:
        """A list of whole numbers."""
        return self._initializer(what, np.array(numbers, np.int64))

    def place(self, number: int) -> str:
        """One whole number without an axis, for Gather."""
        return self._initializer("place", np.array(number, np.int64))

    def _initializer(self, what: str, array: NDArray[Any]) -> str:
        name = self._graph.name(f"{self._layer}/{what}")
        self._graph.initializers.append(numpy_helper.from_array(array, name))
        return name


Emitter = Callable[[_Scope, Any, list[str], list[Shape]], list[str]]


def _emit(scope: _Scope, step: Step, inputs: list[str], network: Network) -> list[str]:
    shapes = [network.shapes[value] for value in step.inputs]
    return _EMITTERS[type(step.layer)](scope, step.layer, inputs, shapes)


def _gru(scope: _Scope, gru: layers.Gru, inputs: list[str], _: list[Shape]) -> list[str]:
    by_time = scope.op("Transpose", inputs[0], perm=[1, 0, 2])
    sequence, state = _gru_node(scope, gru, by_time, inputs[1:])
    if not gru.return_sequences:
        output = state
    else:
        # Keras hands on the steps in the order in which it took them.
        output = _in_batches(scope, _reversed(scope, sequence) if gru.go_backwards else sequence)
    return [output, state][: 1 + gru.return_state]


def _bidirectional(
    scope: _Scope, both: layers.Bidirectional, inputs: list[str], _: list[Shape]
) -> list[str]:
    by_time = scope.op("Transpose", inputs[0], perm=[1, 0, 2])
    states = inputs[1:]
    forward, forward_state = _gru_node(scope, both.forward, by_time, states[:1])
    backward, backward_state = _gru_node(scope, both.backward, by_time, states[1:])
    if both.forward.return_sequences:
        merged = _in_batches(scope, _merge_directions(scope, both.merge, forward, backward))
    else:
        merged = _merge_directions(scope, both.merge, forward_state, backward_state)
    return [merged, forward_state, backward_state][: 3 if both.forward.return_state else 1]


def _merge_directions(scope: _Scope, merge: str, forward: str, backward: str) -> str:
    if merge == "concat":
        return scope.op("Concat", forward, backward, axis=-1)
    merged = scope.op("Mul" if merge == "mul" else "Add", forward, backward)
    return scope.op("Mul", merged, scope.weights("half", 0.5)) if merge == "ave" else merged


def _gru_node(
    scope: _Scope, gru: layers.Gru, by_time: str, initial: Sequence[str]
) -> tuple[str, str]:
    """All outputs [T, B, H] in the order of time, and the last state [B, H]."""
    axis = scope.whole("direction", 0)
    inputs = [
        by_time,
        scope.weights("kernel", gru.kernel.T[np.newaxis]),
        scope.weights("recurrent_kernel", gru.recurrent_kernel.T[np.newaxis]),
        scope.weights("biases", gru.biases.reshape(1, -1)),
    ]
    if initial:
        inputs += ["", scope.op("Unsqueeze", initial[0], axis)]
    sequence, state = scope.node(
        "GRU",
        inputs,
        2,
        hidden_size=gru.units,
        linear_before_reset=int(gru.reset_after),
        direction="reverse" if gru.go_backwards else "forward",
        **_gru_activations(gru),
    )
    after_time = scope.whole("direction", 1)
    return scope.op("Squeeze", sequence, after_time), scope.op("Squeeze", state, axis)


def _gru_activations(gru: layers.Gru) -> dict[str, Any]:
    """The attributes that name the functions; α and β are listed for those that have any."""
    functions = [_in_gru(gru.recurrent_activation), _in_gru(gru.activation)]
    attributes = {
        "activations": [name for name, _, _ in functions],
        "activation_alpha": [alpha for _, alpha, _ in functions if alpha is not None],
        "activation_beta": [beta for _, _, beta in functions if beta is not None],
    }
    if attributes["activations"] == ["Sigmoid", "Tanh"]:
        return {}  # the operator's own
    return {key: value for key, value in attributes.items() if value}


_PLAIN_IN_GRU = {
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "softplus": "Softplus",
    "softsign": "Softsign",
}


def _in_gru(activation: Activation) -> tuple[str, float | None, float | None]:
    """Name, α and β of a function in the ONNX operator GRU."""
    match activation:
        case Activation(kind) if kind in _PLAIN_IN_GRU:
            return _PLAIN_IN_GRU[kind], None, None
        case Activation("linear"):
            return "Affine", 1.0, 0.0
        case Activation("elu", (alpha,)):
            return "Elu", alpha, None
        case Activation("hard_sigmoid", (slope,)):
            return "HardSigmoid", slope, 0.5
        case Activation("relu", (0.0, math.inf, 0.0)):
            return "Relu", None, None
        case Activation("relu", (slope, math.inf, 0.0)):
            return "LeakyRelu", slope, None
    known = ", ".join(sorted([*_PLAIN_IN_GRU, "linear", "elu", "hard_sigmoid", "relu"]))
    raise ModelRefused(
        f"its activation {activation.kind} cannot stand in a GRU node of ONNX; {known} can"
    )


def _reversed(scope: _Scope, by_time: str) -> str:
    last, before_first = scope.whole("last", -1), scope.whole("before_first", -(2**31))
    return scope.op("Slice", by_time, last, before_first, scope.whole("time", 0), last)


def _in_batches(scope: _Scope, by_time: str) -> str:
    return scope.op("Transpose", by_time, perm=[1, 0, 2])


def _dense(scope: _Scope, dense: layers.Dense, inputs: list[str], shapes: list[Shape]) -> list[str]:
    made = scope.op("MatMul", inputs[0], scope.weights("kernel", dense.kernel))
    if dense.bias is not None:
        made = scope.op("Add", made, scope.weights("bias", dense.bias))
    return [_activated(scope, dense.activation, made, len(shapes[0]))]


def _activate(
    scope: _Scope, layer: layers.Activate, inputs: list[str], shapes: list[Shape]
) -> list[str]:
    return [_activated(scope, layer.activation, inputs[0], len(shapes[0]))]


def _activated(scope: _Scope, activation: Activation, x: str, rank: int) -> str:
    if activation.kind in _SOFTMAXES:
        axis = axis_of(int(activation.parameters[0]), (None,) * rank)
        return scope.op(_SOFTMAXES[activation.kind], x, axis=axis)
    return _FUNCTIONS[activation.kind](scope, x, *activation.parameters)


def _plain(op_type: str) -> Callable[..., str]:
    return lambda scope, x: scope.op(op_type, x)


def _mish(scope: _Scope, x: str) -> str:
    return scope.op("Mul", x, scope.op("Tanh", scope.op("Softplus", x)))


def _relu(scope: _Scope, x: str, slope: float, largest: float, threshold: float) -> str:
    if (largest, threshold) == (math.inf, 0.0):
        return scope.op("LeakyRelu", x, alpha=slope) if slope else scope.op("Relu", x)
    if threshold:
        limit = scope.weights("threshold", threshold)
        above = scope.op("Where", scope.op("Greater", x, limit), x, scope.weights("zero", 0.0))
    else:
        above = scope.op("Relu", x)
    if largest < math.inf:
        above = scope.op("Min", above, scope.weights("largest", largest))
    if not slope:
        return above
    below = scope.op("Relu", scope.op("Sub", scope.weights("threshold", threshold), x))
    return scope.op("Sub", above, scope.op("Mul", below, scope.weights("slope", slope)))


_SOFTMAXES = {"softmax": "Softmax", "log_softmax": "LogSoftmax"}

_FUNCTIONS: dict[str, Callable[..., str]] = {
    "linear": lambda _, x: x,
    "sigmoid": _plain("Sigmoid"),
    "tanh": _plain("Tanh"),
    "selu": _plain("Selu"),
    "softplus": _plain("Softplus"),
    "softsign": _plain("Softsign"),
    "exponential": _plain("Exp"),
    "gelu": _plain("Gelu"),
    "silu": lambda scope, x: scope.op("Mul", x, scope.op("Sigmoid", x)),
    "mish": _mish,
    "relu": _relu,
    "elu": lambda scope, x, alpha: scope.op("Elu", x, alpha=alpha),
    "hard_sigmoid": lambda scope, x, slope: scope.op("HardSigmoid", x, alpha=slope, beta=0.5),
}


def _prelu(scope: _Scope, layer: layers.PRelu, inputs: list[str], _: list[Shape]) -> list[str]:
    return [scope.op("PRelu", inputs[0], scope.weights("alpha", layer.alpha))]


def _batch_norm(
    scope: _Scope, norm: layers.BatchNorm, inputs: list[str], _: list[Shape]
) -> list[str]:
    factor = norm.gamma / np.sqrt(norm.variance + norm.epsilon)
    return [_affine_of(scope, inputs[0], norm.mean, factor, norm.beta)]


def _affine(scope: _Scope, affine: layers.Affine, inputs: list[str], _: list[Shape]) -> list[str]:
    return [_affine_of(scope, inputs[0], affine.shift, affine.factor, affine.offset)]


def _affine_of(
    scope: _Scope,
    x: str,
    shift: NDArray[np.float64],
    factor: NDArray[np.float64],
    offset: NDArray[np.float64],
) -> str:
    """The mean is taken off first, as Keras does: folded into the offset it would cost digits."""
    if shift.any():
        x = scope.op("Sub", x, scope.weights("mean", shift))
    if (factor != 1).any():
        x = scope.op("Mul", x, scope.weights("factor", factor))
    return scope.op("Add", x, scope.weights("offset", offset)) if offset.any() else x


def _layer_norm(
    scope: _Scope, norm: layers.LayerNorm, inputs: list[str], _: list[Shape]
) -> list[str]:
    gamma, beta = scope.weights("gamma", norm.gamma), scope.weights("beta", norm.beta)
    normed = scope.op("LayerNormalization", inputs[0], gamma, beta, axis=-1, epsilon=norm.epsilon)
    return [normed]


def _embedding(
    scope: _Scope, embedding: layers.Embedding, inputs: list[str], _: list[Shape]
) -> list[str]:
    tokens = inputs[0]
    if tokens not in scope.tokens:
        tokens = scope.op("Cast", tokens, to=TensorProto.INT64)
    return [scope.op("Gather", scope.weights("embeddings", embedding.table), tokens, axis=0)]


def _conv1d(scope: _Scope, conv: layers.Conv1D, inputs: list[str], _: list[Shape]) -> list[str]:
    weights = [scope.weights("kernel", conv.kernel.transpose(2, 1, 0))]
    if conv.bias is not None:
        weights.append(scope.weights("bias", conv.bias))
    features_first = scope.op("Transpose", inputs[0], perm=[0, 2, 1])
    made = scope.op(
        "Conv",
        features_first,
        *weights,
        pads=[conv.before, conv.after],
        dilations=[conv.dilation],
        group=conv.groups,
    )
    return [_activated(scope, conv.activation, scope.op("Transpose", made, perm=[0, 2, 1]), 3)]


def _pool1d(scope: _Scope, pool: layers.Pool1D, inputs: list[str], _: list[Shape]) -> list[str]:
    features_first = scope.op("Transpose", inputs[0], perm=[0, 2, 1])
    made = scope.op(
        "MaxPool" if pool.kind == "max" else "AveragePool",
        features_first,
        kernel_shape=[pool.size],
        strides=[pool.stride],
        auto_pad="SAME_UPPER" if pool.same else "VALID",
    )
    return [scope.op("Transpose", made, perm=[0, 2, 1])]


def _global_pool1d(
    scope: _Scope, pool: layers.GlobalPool1D, inputs: list[str], _: list[Shape]
) -> list[str]:
    op_type = "ReduceMax" if pool.kind == "max" else "ReduceMean"
    return [scope.op(op_type, inputs[0], scope.whole("time", 1), keepdims=int(pool.keep))]


def _reshape(
    scope: _Scope, reshape: layers.Reshape, inputs: list[str], _: list[Shape]
) -> list[str]:
    # 0 keeps the size of the batch.
    return [scope.op("Reshape", inputs[0], scope.whole("target", 0, *reshape.target))]


def _flatten(scope: _Scope, _: layers.Flatten, inputs: list[str], shapes: list[Shape]) -> list[str]:
    return [scope.op("Flatten", inputs[0], axis=1) if len(shapes[0]) > 2 else inputs[0]]


def _permute(
    scope: _Scope, permute: layers.Permute, inputs: list[str], _: list[Shape]
) -> list[str]:
    return [scope.op("Transpose", inputs[0], perm=[0, *permute.axes])]


def _repeat(scope: _Scope, repeat: layers.Repeat, inputs: list[str], _: list[Shape]) -> list[str]:
    single = scope.op("Unsqueeze", inputs[0], scope.whole("time", 1))
    return [scope.op("Expand", single, scope.whole("repeats", 1, repeat.times, 1))]


def _pad(scope: _Scope, pad: layers.Pad, inputs: list[str], _: list[Shape]) -> list[str]:
    amounts = scope.whole("amounts", 0, pad.before, 0, 0, pad.after, 0)
    return [scope.op("Pad", inputs[0], amounts)]


def _select(scope: _Scope, select: layers.Select, inputs: list[str], _: list[Shape]) -> list[str]:
    """From the last axis to the first, so that an axis that goes does not move those to come."""
    made = inputs[0]
    for axis, item in reversed(list(enumerate(select.items))):
        if isinstance(item, int):
            made = scope.op("Gather", made, scope.place(item), axis=axis)
        elif item != slice(None):
            made = _part(scope, made, axis, item)
    return [made]


def _part(scope: _Scope, x: str, axis: int, item: slice) -> str:
    step = item.step or 1
    start = item.start if item.start is not None else (0 if step > 0 else -1)
    end = 2**31 - 1 if step > 0 else -(2**31)
    stop = item.stop if item.stop is not None else end
    bounds = [scope.whole("start", start), scope.whole("stop", stop), scope.whole("axis", axis)]
    return scope.op("Slice", x, *bounds, scope.whole("step", step))


def _concatenate(
    scope: _Scope, concatenate: layers.Concatenate, inputs: list[str], shapes: list[Shape]
) -> list[str]:
    return [scope.op("Concat", *inputs, axis=axis_of(concatenate.axis, shapes[0]))]


_MERGES = {
    "add": "Add",
    "subtract": "Sub",
    "multiply": "Mul",
    "divide": "Div",
    "average": "Add",
    "maximum": "Max",
    "minimum": "Min",
}


def _merge(scope: _Scope, merge: layers.Merge, inputs: list[str], _: list[Shape]) -> list[str]:
    tensors = iter(inputs)
    operands = [
        next(tensors) if number is None else scope.weights("number", number)
        for number in merge.operands
    ]
    made = operands[0]
    for operand in operands[1:]:
        made = scope.op(_MERGES[merge.kind], made, operand)
    if merge.kind == "average":
        made = scope.op("Div", made, scope.weights("count", float(len(operands))))
    return [made]


_EMITTERS: dict[type[Layer], Emitter] = {
    layers.Gru: _gru,
    layers.Bidirectional: _bidirectional,
    layers.Dense: _dense,
    layers.Activate: _activate,
    layers.PRelu: _prelu,
    layers.BatchNorm: _batch_norm,
    layers.Affine: _affine,
    layers.LayerNorm: _layer_norm,
    layers.Embedding: _embedding,
    layers.Conv1D: _conv1d,
    layers.Pool1D: _pool1d,
    layers.GlobalPool1D: _global_pool1d,
    layers.Reshape: _reshape,
    layers.Flatten: _flatten,
    layers.Permute: _permute,
    layers.Repeat: _repeat,
    layers.Pad: _pad,
    layers.Select: _select,
    layers.Concatenate: _concatenate,
    layers.Merge: _merge,
}
