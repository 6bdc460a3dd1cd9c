"""What a network of layers computes, in float64 NumPy, straight from Keras's definitions.

Written to check the way to ONNX, with which it shares nothing but the layers as they were read.
Formulas: https://keras.io/api/layers
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_export.errors import ModelRefused
from model_export.imports.keras import layers
from model_export.imports.keras.activations import Activation
from model_export.imports.keras.layers import Layer
from model_export.imports.keras.network import Network, Value
from model_export.imports.keras.signature import Signature
from model_export.original import Arrays

Float64 = NDArray[np.float64]


def read(network: Network, signature: Signature, inputs: Arrays) -> dict[str, Float64]:
    """All outputs by name, for all inputs by name. Raises ModelRefused as `read_all`."""
    values = read_all(network, signature, inputs)
    return {name: values[value] for name, value in signature.outputs.items()}


def read_all(network: Network, signature: Signature, inputs: Arrays) -> dict[Value, Float64]:
    """Every value of the network, for all inputs by name.

    Raises ModelRefused where an input is missing or too short, or a token not in its embedding.
    """
    missing = signature.inputs.keys() - inputs.keys()
    if missing:
        raise ModelRefused(f"the model also needs the input {sorted(missing)[0]!r}")
    values: dict[Value, Any] = {
        item.value: np.asarray(inputs[name], np.float64) for name, item in signature.inputs.items()
    }
    # Numbers that run out of range become infinite or NaN, as they do in the model itself.
    with np.errstate(all="ignore"):
        for step in network.steps:
            made = _RULES[type(step.layer)](step.layer, *(values[value] for value in step.inputs))
            values.update(zip(step.outputs, made, strict=True))
    return values


def _gru(gru: layers.Gru, x: Float64, initial: Float64 | None = None) -> Sequence[Float64]:
    states = _gru_states(gru, x, initial)
    last = states[-1]
    output = np.stack(states, axis=1) if gru.return_sequences else last
    return (output, last)[: 1 + gru.return_state]


def _gru_states(gru: layers.Gru, x: Float64, initial: Float64 | None) -> list[Float64]:
    """The state after each step, in the order in which the steps are taken."""
    h = np.zeros((len(x), gru.units)) if initial is None else initial
    times = range(x.shape[1])
    states = []
    for time in reversed(times) if gru.go_backwards else times:
        h = _gru_step(gru, x[:, time], h)
        states.append(h)
    return states


def _gru_step(gru: layers.Gru, x: Float64, h: Float64) -> Float64:
    """One step as `keras.layers.GRUCell` has it; z keeps.

    z = σ(x W_z + b_z + h U_z + c_z), r likewise; the candidate is
    tanh(x W + b + r ⊙ (h U + c)) with reset_after, tanh(x W + b + (r ⊙ h) U) without.
    """
    units, sigma = gru.units, gru.recurrent_activation
    from_x = x @ gru.kernel + gru.biases[0]
    gates = from_x[:, : 2 * units] + h @ gru.recurrent_kernel[:, : 2 * units]
    gates = _function(sigma, gates + gru.biases[1, : 2 * units])
    z, r = gates[:, :units], gates[:, units:]
    own = gru.recurrent_kernel[:, 2 * units :]
    after = r * (h @ own + gru.biases[1, 2 * units :])
    from_h = after if gru.reset_after else (r * h) @ own
    candidate = _function(gru.activation, from_x[:, 2 * units :] + from_h)
    return z * h + (1 - z) * candidate


def _bidirectional(
    both: layers.Bidirectional,
    x: Float64,
    forward_initial: Float64 | None = None,
    backward_initial: Float64 | None = None,
) -> Sequence[Float64]:
    ahead, *forward_state = _gru(both.forward, x, forward_initial)
    back, *backward_state = _gru(both.backward, x, backward_initial)
    if both.forward.return_sequences:
        back = back[:, ::-1]
    return (_MERGE_DIRECTIONS[both.merge](ahead, back), *forward_state, *backward_state)


_MERGE_DIRECTIONS: dict[str, Callable[[Float64, Float64], Float64]] = {
    "concat": lambda ahead, back: np.concatenate([ahead, back], axis=-1),
    "sum": lambda ahead, back: ahead + back,
    "mul": lambda ahead, back: ahead * back,
    "ave": lambda ahead, back: (ahead + back) / 2,
}


def _dense(dense: layers.Dense, x: Float64) -> Sequence[Float64]:
    made = x @ dense.kernel
    return [_function(dense.activation, made if dense.bias is None else made + dense.bias)]


def _function(activation: Activation, x: Float64) -> Float64:
    return _FUNCTIONS[activation.kind](x, *activation.parameters)


def _sigmoid(x: Float64) -> Float64:
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def _softplus(x: Float64) -> Float64:
    return np.logaddexp(0, x)


def _relu(x: Float64, slope: float, largest: float, threshold: float) -> Float64:
    return np.where(x > threshold, np.minimum(x, largest), slope * (x - threshold))


def _elu(x: Float64, alpha: float) -> Float64:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _selu(x: Float64) -> Float64:
    """α and scale of Klambauer et al. 2017, as `keras.activations.selu` gives them."""
    return 1.0507009873554805 * _elu(x, 1.6732632423543772)


def _gelu(x: Float64) -> Float64:
    erf: Float64 = np.vectorize(math.erf, otypes=[np.float64])(x / math.sqrt(2))
    return 0.5 * x * (1 + erf)


def _softmax(x: Float64, axis: float) -> Float64:
    return np.asarray(np.exp(_log_softmax(x, axis)))


def _log_softmax(x: Float64, axis: float) -> Float64:
    shifted = x - x.max(axis=int(axis), keepdims=True)
    logs: Float64 = shifted - np.log(np.exp(shifted).sum(axis=int(axis), keepdims=True))
    return logs


_FUNCTIONS: dict[str, Callable[..., Float64]] = {
    "linear": lambda x: x,
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "relu": _relu,
    "elu": _elu,
    "selu": _selu,
    "gelu": _gelu,
    "softplus": _softplus,
    "softsign": lambda x: x / (1 + np.abs(x)),
    "exponential": np.exp,
    "silu": lambda x: x * _sigmoid(x),
    "mish": lambda x: x * np.tanh(_softplus(x)),
    "hard_sigmoid": lambda x, slope: np.clip(slope * x + 0.5, 0, 1),
    "softmax": _softmax,
    "log_softmax": _log_softmax,
}


def _prelu(layer: layers.PRelu, x: Float64) -> Sequence[Float64]:
    return [np.where(x > 0, x, layer.alpha * x)]


def _batch_norm(norm: layers.BatchNorm, x: Float64) -> Sequence[Float64]:
    return [norm.gamma * (x - norm.mean) / np.sqrt(norm.variance + norm.epsilon) + norm.beta]


def _layer_norm(norm: layers.LayerNorm, x: Float64) -> Sequence[Float64]:
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = np.mean(centred**2, axis=-1, keepdims=True)
    return [norm.gamma * centred / np.sqrt(variance + norm.epsilon) + norm.beta]


def _embedding(embedding: layers.Embedding, x: Float64) -> Sequence[Float64]:
    tokens = x.astype(np.int64)
    if tokens.size and (tokens.min() < 0 or tokens.max() >= len(embedding.table)):
        raise ModelRefused(f"tokens go from 0 to {len(embedding.table) - 1}")
    return [embedding.table[tokens]]


def _conv1d(conv: layers.Conv1D, x: Float64) -> Sequence[Float64]:
    """Each output is a sum over the places of the kernel, `dilation` steps apart."""
    x = np.pad(x, ((0, 0), (conv.before, conv.after), (0, 0)))
    width, per_group, filters = conv.kernel.shape
    time = layers.shorter(x.shape[1], (width - 1) * conv.dilation) or 0
    made = np.zeros((len(x), time, filters))
    each = filters // conv.groups
    for group in range(conv.groups):
        of_input = slice(group * per_group, (group + 1) * per_group)
        of_output = slice(group * each, (group + 1) * each)
        for place in range(width):
            seen = x[:, place * conv.dilation :][:, :time, of_input]
            made[:, :, of_output] += seen @ conv.kernel[place][:, of_output]
    return [_function(conv.activation, made if conv.bias is None else made + conv.bias)]


def _pool1d(pool: layers.Pool1D, x: Float64) -> Sequence[Float64]:
    """With `same`, windows may stick out at both ends; what is outside counts for nothing."""
    time = x.shape[1]
    if pool.same:
        count = -(-time // pool.stride)
        outside = max((count - 1) * pool.stride + pool.size - time, 0)
        first = -(outside // 2)
    else:
        layers.shorter(time, pool.size - 1)
        count, first = (time - pool.size) // pool.stride + 1, 0
    starts = [first + index * pool.stride for index in range(count)]
    windows = [x[:, max(start, 0) : start + pool.size] for start in starts]
    reduce = np.max if pool.kind == "max" else np.mean
    return [np.stack([reduce(window, axis=1) for window in windows], axis=1)]


def _global_pool1d(pool: layers.GlobalPool1D, x: Float64) -> Sequence[Float64]:
    reduce = np.max if pool.kind == "max" else np.mean
    return [reduce(x, axis=1, keepdims=pool.keep)]


def _select(select: layers.Select, x: Float64) -> Sequence[Float64]:
    return [x[select.items]]


_COMBINE: dict[str, Callable[[Any, Any], Any]] = {
    "add": np.add,
    "average": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "maximum": np.maximum,
    "minimum": np.minimum,
}


def _merge(merge: layers.Merge, *tensors: Float64) -> Sequence[Float64]:
    given = iter(tensors)
    operands: list[Any] = [next(given) if number is None else number for number in merge.operands]
    made = operands[0]
    for operand in operands[1:]:
        made = _COMBINE[merge.kind](made, operand)
    return [made / len(operands) if merge.kind == "average" else made]


_RULES: dict[type[Layer], Callable[..., Sequence[Float64]]] = {
    layers.Gru: _gru,
    layers.Bidirectional: _bidirectional,
    layers.Dense: _dense,
    layers.Activate: lambda layer, x: [_function(layer.activation, x)],
    layers.PRelu: _prelu,
    layers.BatchNorm: _batch_norm,
    layers.Affine: lambda affine, x: [(x - affine.shift) * affine.factor + affine.offset],
    layers.LayerNorm: _layer_norm,
    layers.Embedding: _embedding,
    layers.Conv1D: _conv1d,
    layers.Pool1D: _pool1d,
    layers.GlobalPool1D: _global_pool1d,
    layers.Reshape: lambda reshape, x: [x.reshape(len(x), *reshape.target)],
    layers.Flatten: lambda _, x: [x.reshape(len(x), -1)],
    layers.Permute: lambda permute, x: [x.transpose(0, *permute.axes)],
    layers.Repeat: lambda repeat, x: [np.repeat(x[:, np.newaxis], repeat.times, axis=1)],
    layers.Pad: lambda pad, x: [np.pad(x, ((0, 0), (pad.before, pad.after), (0, 0)))],
    layers.Select: _select,
    layers.Concatenate: lambda joined, *xs: [np.concatenate(xs, axis=joined.axis)],
    layers.Merge: _merge,
}
