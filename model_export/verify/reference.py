"""GRU layers in float64 NumPy, straight from the equations, for comparison with the graphs.

The weights come from the GRU nodes of the sequence graph, the inputs of each layer from ONNX
Runtime, so that only the recurrence itself is compared, whatever else is in the model.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_export.rewrite.gru_node import Weights
from service.bundle.manifest import Reset

Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LayerTrace:
    """hidden, reset, update and candidate of one layer, [T, B, H] each, float64."""

    hidden: Float64
    reset: Float64
    update: Float64
    candidate: Float64


def trace_layer(weights: Weights, reset: Reset, x: NDArray[np.float32], h0: Float64) -> LayerTrace:
    """Run one layer over x [T, B, I] from h0 [B, H]."""
    w_r, w_z, w_n = weights.input_weights.astype(np.float64)
    u_r, u_z, u_n = weights.hidden_weights.astype(np.float64)
    b_r, b_z, b_n = weights.biases.astype(np.float64)
    c_n = weights.candidate_bias.astype(np.float64)
    h = h0
    steps = []
    for x_t in x.astype(np.float64):
        r = _sigmoid(x_t @ w_r.T + h @ u_r.T + b_r)
        z = _sigmoid(x_t @ w_z.T + h @ u_z.T + b_z)
        history = r * (h @ u_n.T + c_n) if reset == "after" else (r * h) @ u_n.T
        n = np.tanh(x_t @ w_n.T + b_n + history)
        h = (1 - z) * h + z * n
        steps.append((h, r, z, n))
    hidden, reset_gate, update, candidate = (np.stack(part) for part in zip(*steps, strict=True))
    return LayerTrace(hidden, reset_gate, update, candidate)


def _sigmoid(a: Float64) -> Float64:
    # The half-angle form overflows for no a.
    return np.asarray(0.5 * (1 + np.tanh(0.5 * a)))
