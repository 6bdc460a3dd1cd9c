"""The activations of the ONNX GRU operator, and their derivatives, in float64.

https://onnx.ai/onnx/operators/onnx__GRU.html has the list. At a corner the derivative is that of
the side where nothing is passed on.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from service.bundle.manifest import Activation
from service.records import record

Float64 = NDArray[np.float64]
_Function = Callable[[Float64, float, float], Float64]


@record
class _Pair:
    """f(a) and f′(a) for a of any shape, with alpha and beta."""

    value: _Function
    slope: _Function


def softplus(a: Float64) -> Float64:
    """ln(1 + exp(a)) for any a, of the shape of a."""
    # NumPy's `logaddexp` warns of NaN.
    return np.asarray(np.maximum(a, 0.0) + np.log1p(np.exp(-np.abs(a))))


def _sigmoid(a: Float64) -> Float64:
    # As exact near 0 as near 1, which 1 / (1 + exp(−a)) and the half-angle form are not.
    small = np.exp(-np.abs(a))
    return np.asarray(np.where(a >= 0, 1.0, small) / (1 + small))


def _inside(a: Float64, alpha: float, beta: float) -> Float64:
    bent = alpha * a + beta
    return np.asarray(np.where((bent > 0) & (bent < 1), alpha, 0.0))


_FUNCTIONS: dict[str, _Pair] = {
    "Relu": _Pair(
        lambda a, _p, _q: np.maximum(a, 0.0),
        lambda a, _p, _q: np.where(a > 0, 1.0, 0.0),
    ),
    "Tanh": _Pair(
        lambda a, _p, _q: np.tanh(a),
        lambda a, _p, _q: 1 - np.tanh(a) ** 2,
    ),
    "Sigmoid": _Pair(
        lambda a, _p, _q: _sigmoid(a),
        lambda a, _p, _q: _sigmoid(a) * _sigmoid(-a),
    ),
    "Affine": _Pair(
        lambda a, p, q: p * a + q,
        lambda a, p, _q: np.full_like(a, p),
    ),
    "LeakyRelu": _Pair(
        lambda a, p, _q: np.where(a >= 0, a, p * a),
        lambda a, p, _q: np.where(a > 0, 1.0, p),
    ),
    "ThresholdedRelu": _Pair(
        lambda a, p, _q: np.where(a > p, a, 0.0),
        lambda a, p, _q: np.where(a > p, 1.0, 0.0),
    ),
    "ScaledTanh": _Pair(
        lambda a, p, q: p * np.tanh(q * a),
        lambda a, p, q: p * q * (1 - np.tanh(q * a) ** 2),
    ),
    "HardSigmoid": _Pair(
        lambda a, p, q: np.clip(p * a + q, 0.0, 1.0),
        _inside,
    ),
    "Elu": _Pair(
        lambda a, p, _q: np.where(a >= 0, a, p * np.expm1(np.minimum(a, 0.0))),
        lambda a, p, _q: np.where(a > 0, 1.0, p * np.exp(np.minimum(a, 0.0))),
    ),
    "Softsign": _Pair(
        lambda a, _p, _q: a / (1 + np.abs(a)),
        lambda a, _p, _q: 1 / (1 + np.abs(a)) ** 2,
    ),
    "Softplus": _Pair(
        lambda a, _p, _q: softplus(a),
        lambda a, _p, _q: _sigmoid(a),
    ),
}
NAMES = tuple(_FUNCTIONS)


def activate(activation: Activation, a: Float64) -> Float64:
    """f(a), of the shape of a; NaN where a is."""
    return _applied(_FUNCTIONS[activation.name].value, activation, a)


def slope(activation: Activation, a: Float64) -> Float64:
    """f′(a), of the shape of a; NaN where a is."""
    return _applied(_FUNCTIONS[activation.name].slope, activation, a)


def _applied(function: _Function, activation: Activation, a: Float64) -> Float64:
    found = function(a, activation.alpha or 0.0, activation.beta or 0.0)
    # What asks whether a is larger than something would make a number of NaN.
    return np.where(np.isnan(a), a, found)
