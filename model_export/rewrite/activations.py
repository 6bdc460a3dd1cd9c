"""The activations that a GRU node may have, as operators.

https://onnx.ai/onnx/operators/onnx__GRU.html lists them with their formulas.
"""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from model_export.rewrite.builder import Builder
from service.bundle.manifest import Activation

_PLAIN = {"Relu", "Tanh", "Sigmoid", "Softsign", "Softplus"}
_WITH_ALPHA = {"LeakyRelu", "ThresholdedRelu", "Elu"}


def activate(builder: Builder, value: ir.Value, activation: Activation) -> ir.Value:
    """f(value), number by number."""
    name, alpha, beta = activation.name, activation.alpha, activation.beta
    if name in _PLAIN:
        return builder.op(name, value)
    if name in _WITH_ALPHA:
        return builder.op(name, value, alpha=alpha)
    if name == "HardSigmoid":
        return builder.op(name, value, alpha=alpha, beta=beta)
    return _MADE[name](builder, value, float(alpha or 0), float(beta or 0))


def _affine(builder: Builder, value: ir.Value, alpha: float, beta: float) -> ir.Value:
    """alpha · x + beta"""
    if (alpha, beta) == (1.0, 0.0):
        return value
    scaled = builder.op("Mul", value, _number(builder, alpha))
    return builder.op("Add", scaled, _number(builder, beta))


def _scaled_tanh(builder: Builder, value: ir.Value, alpha: float, beta: float) -> ir.Value:
    """alpha · tanh(beta · x)"""
    inner = builder.op("Tanh", builder.op("Mul", value, _number(builder, beta)))
    return builder.op("Mul", inner, _number(builder, alpha))


def _number(builder: Builder, number: float) -> ir.Value:
    return builder.constant(np.array([number], np.float32))


_MADE: dict[str, Callable[[Builder, ir.Value, float, float], ir.Value]] = {
    "Affine": _affine,
    "ScaledTanh": _scaled_tanh,
}
