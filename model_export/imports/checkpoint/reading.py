"""What the original computes, in float64: torch's documented equations, one step after the other.

This shares nothing with the way to ONNX but the stages, so that a fault there shows here. Sources:
the documentation of torch.nn.GRU, Linear, BatchNorm1d, LayerNorm and of each activation.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_export.imports.checkpoint.stack import (
    Activation,
    Array,
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

_SELU_SCALE, _SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


def evaluate(stack: Stack, inputs: NDArray[Any]) -> Array:
    """[B, T, O] or [B, O] for inputs [B, T, F] in the caller's units, or token ids [B, T]."""
    return results(stack, inputs)[-1]


def results(stack: Stack, inputs: NDArray[Any]) -> list[Array]:
    """What every stage makes of what the one before it made."""
    value: Any = inputs if stack.takes_tokens else inputs.astype(np.float64)
    ends: Array | None = None
    made: list[Array] = []
    for stage in stack.stages:
        if isinstance(stage, Gru):
            value, ends = gru(stage, value)
        elif isinstance(stage, Pool) and stage.kind == "final":
            value = ends
        else:
            value = _STAGES[type(stage)](stage, value)
        made.append(value)
    return made


def gru(layer: Gru, x: Array) -> tuple[Array, Array]:
    """All states [B, T, directions · H], and h_n as [B, directions · H]."""
    forward = _run(layer.directions[0], x)
    if len(layer.directions) == 1:
        return forward, forward[:, -1]
    backward = _run(layer.directions[1], x[:, ::-1])
    ends = np.concatenate([forward[:, -1], backward[:, -1]], axis=1)
    return np.concatenate([forward, backward[:, ::-1]], axis=2), ends


def _run(d: Direction, x: Array) -> Array:
    """r, z, n and h' of torch.nn.GRU, from h = 0."""
    h = np.zeros((x.shape[0], d.hidden_size))
    states = []
    for t in range(x.shape[1]):
        i_r, i_z, i_n = np.split(x[:, t] @ d.input_weights.T + d.input_biases, 3, axis=1)
        h_r, h_z, h_n = np.split(h @ d.hidden_weights.T + d.hidden_biases, 3, axis=1)
        r, z = _sigmoid(i_r + h_r), _sigmoid(i_z + h_z)
        n = np.tanh(i_n + r * h_n)
        h = (1 - z) * n + z * h
        states.append(h)
    return np.stack(states, axis=1)


def _embedding(stage: Embedding, tokens: NDArray[np.int64]) -> Array:
    return np.asarray(stage.weight[tokens])


def _linear(stage: Linear, x: Array) -> Array:
    y = x @ stage.weight.T
    return np.asarray(y if stage.bias is None else y + stage.bias)


def _batch_norm(stage: BatchNorm, x: Array) -> Array:
    normal = (x - stage.mean) / np.sqrt(stage.variance + stage.epsilon)
    return np.asarray(normal * stage.weight + stage.bias)


def _layer_norm(stage: LayerNorm, x: Array) -> Array:
    mean, variance = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
    return np.asarray((x - mean) / np.sqrt(variance + stage.epsilon) * stage.weight + stage.bias)


def _prelu(stage: PRelu, x: Array) -> Array:
    return np.where(x >= 0, x, stage.slope * x)


def _pool(stage: Pool, x: Array) -> Array:
    if stage.kind == "last":
        return np.asarray(x[:, -1])
    return np.asarray(x.mean(axis=1) if stage.kind == "mean" else x.max(axis=1))


def _scaling(stage: Scaling, x: Array) -> Array:
    if stage.inverse:
        return np.asarray((x - stage.low) * stage.spread + stage.centre)
    return np.asarray((x - stage.centre) / stage.spread + stage.low)


def _activation(stage: Activation, x: Array) -> Array:
    return np.asarray(_FUNCTIONS[stage.kind](x, stage.value))


def _sigmoid(x: Array) -> Array:
    # Either branch alone overflows at one end.
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1, small) / (1 + small))


def _log_softmax(x: Array) -> Array:
    below = x - x.max(axis=-1, keepdims=True)
    return np.asarray(below - np.log(np.exp(below).sum(axis=-1, keepdims=True)))


def _elu(x: Array, alpha: float) -> Array:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _gelu(x: Array) -> Array:
    return np.asarray(x * 0.5 * (1 + np.vectorize(math.erf, otypes=[np.float64])(x / 2**0.5)))


def _gelu_tanh(x: Array) -> Array:
    return np.asarray(0.5 * x * (1 + np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3))))


_FUNCTIONS: dict[str, Callable[[Array, float], Array]] = {
    "relu": lambda x, _: np.maximum(x, 0),
    "relu6": lambda x, _: np.clip(x, 0, 6),
    "tanh": lambda x, _: np.tanh(x),
    "sigmoid": lambda x, _: _sigmoid(x),
    "softmax": lambda x, _: np.exp(_log_softmax(x)),
    "log_softmax": lambda x, _: _log_softmax(x),
    "leaky_relu": lambda x, slope: np.where(x >= 0, x, slope * x),
    "gelu": lambda x, _: _gelu(x),
    "gelu_tanh": lambda x, _: _gelu_tanh(x),
    "elu": _elu,
    "selu": lambda x, _: _SELU_SCALE * _elu(x, _SELU_ALPHA),
    "silu": lambda x, _: x * _sigmoid(x),
    "softplus": lambda x, _: np.logaddexp(0, x),
    "hardsigmoid": lambda x, _: np.clip(x + 3, 0, 6) / 6,
    "hardswish": lambda x, _: x * np.clip(x + 3, 0, 6) / 6,
    "hardtanh": lambda x, _: np.clip(x, -1, 1),
}

_STAGES: dict[type, Callable[[Any, Any], Array]] = {
    Embedding: _embedding,
    Linear: _linear,
    BatchNorm: _batch_norm,
    LayerNorm: _layer_norm,
    PRelu: _prelu,
    Activation: _activation,
    Pool: _pool,
    Scaling: _scaling,
}
