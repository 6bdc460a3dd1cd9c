"""One step of a GRU layer in float64 NumPy, straight from the equations, for comparison.

The weights come from `cells.npz`, the input of each layer and its state before from the graphs, so
that only the cell itself is compared, whatever else is in the model.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_export.rewrite.inspected_cell import TERMS
from service.bundle.manifest import Activation, Layer

Float64 = NDArray[np.float64]
Touch = Callable[[str, Float64], Float64]

_FUNCTIONS: dict[str, Callable[[Float64, float, float], Float64]] = {
    "Relu": lambda a, _p, _q: np.where(a > 0, a, 0.0),
    "Tanh": lambda a, _p, _q: np.tanh(a),
    # The half-angle form overflows for no a.
    "Sigmoid": lambda a, _p, _q: 0.5 * (1 + np.tanh(0.5 * a)),
    "Affine": lambda a, p, q: p * a + q,
    "LeakyRelu": lambda a, p, _q: np.where(a >= 0, a, p * a),
    "ThresholdedRelu": lambda a, p, _q: np.where(a > p, a, 0.0),
    "ScaledTanh": lambda a, p, q: p * np.tanh(q * a),
    "HardSigmoid": lambda a, p, q: np.clip(p * a + q, 0.0, 1.0),
    "Elu": lambda a, p, _q: np.where(a >= 0, a, p * np.expm1(np.minimum(a, 0.0))),
    "Softsign": lambda a, _p, _q: a / (1 + np.abs(a)),
    "Softplus": lambda a, _p, _q: np.logaddexp(0.0, a),
}


def one_step(
    layer: Layer,
    cells: Mapping[str, NDArray[Any]],
    index: int,
    x: Float64,
    h: Float64,
    *,
    touch: Touch = lambda _, gate: gate,
) -> dict[str, Float64]:
    """reset, update, candidate, hidden and the terms of the gates, [N, H] each, by name, for
    x [N, I] and the state before, h [N, H]. `touch` puts something else in the place of a gate.

    The equations are those of docs/architecture.md; rows of W, U, b are reset, update, candidate.
    """
    W, U, b, c, keeps = (
        cells[f"{index}/{name}"].astype(np.float64) for name in ("W", "U", "b", "c", "keeps")
    )
    gate, write = _function(layer.gate_activation), _function(layer.candidate_activation)
    bound = np.inf if layer.clip is None else layer.clip
    reset_pre = np.clip(x @ W[0].T + h @ U[0].T + b[0], -bound, bound)
    update_pre = np.clip(x @ W[1].T + h @ U[1].T + b[1], -bound, bound)
    r = touch("reset", gate(reset_pre))
    z = touch("update", 1 - gate(update_pre) if keeps else gate(update_pre))
    history = r * (h @ U[2].T + c) if layer.reset == "after" else (r * h) @ U[2].T
    from_input = x @ W[2].T + b[2]
    candidate_pre = np.clip(from_input + history, -bound, bound)
    n = touch("candidate", write(candidate_pre))
    terms = (reset_pre, update_pre, candidate_pre, from_input, history)
    gates = {"reset": r, "update": z, "candidate": n, "hidden": (1 - z) * h + z * n}
    return gates | dict(zip(TERMS, terms, strict=True))


def _function(activation: Activation) -> Callable[[Float64], Float64]:
    function = _FUNCTIONS[activation.name]
    alpha, beta = activation.alpha or 0.0, activation.beta or 0.0
    return lambda a: function(a, alpha, beta)
