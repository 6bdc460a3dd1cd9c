"""The ONNX GRU operator in NumPy, for runs in float64.

https://onnx.ai/onnx/operators/onnx__GRU.html; the reference implementation of the onnx package
leaves out activations, clip and directions.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx.reference.op_run import OpRun

Array = NDArray[Any]
Function = Callable[[Array, Any, Any], Array]

_FUNCTIONS: dict[str, tuple[Function, float | None, float | None]] = {
    "relu": (lambda x, _a, _b: np.maximum(x, 0), None, None),
    "tanh": (lambda x, _a, _b: np.tanh(x), None, None),
    "sigmoid": (lambda x, _a, _b: 0.5 * (1 + np.tanh(0.5 * x)), None, None),
    "affine": (lambda x, a, b: a * x + b, np.nan, np.nan),
    "leakyrelu": (lambda x, a, _b: np.where(x >= 0, x, a * x), 0.01, None),
    "thresholdedrelu": (lambda x, a, _b: np.where(x > a, x, 0), 1.0, None),
    "scaledtanh": (lambda x, a, b: a * np.tanh(b * x), np.nan, np.nan),
    "hardsigmoid": (lambda x, a, b: np.clip(a * x + b, 0, 1), 0.2, 0.5),
    "elu": (lambda x, a, _b: np.where(x >= 0, x, a * np.expm1(np.minimum(x, 0))), 1.0, None),
    "softsign": (lambda x, _a, _b: x / (1 + np.abs(x)), None, None),
    "softplus": (lambda x, _a, _b: np.logaddexp(0, x), None, None),
}
"""Each function of the operator with its default alpha and beta; None where it takes none."""


class GRU(OpRun):
    """Takes the place of the package's own GRU in its ReferenceEvaluator."""

    op_domain = ""

    def _run(  # the operator's own inputs and attributes, by their names
        self,
        X: Array,
        W: Array,
        R: Array,
        B: Array | None = None,
        sequence_lens: Array | None = None,
        initial_h: Array | None = None,
        activation_alpha: Sequence[float] | None = None,
        activation_beta: Sequence[float] | None = None,
        activations: Sequence[str] | None = None,
        clip: float | None = None,
        direction: str = "forward",
        hidden_size: int | None = None,
        layout: int = 0,
        linear_before_reset: int = 0,
    ) -> tuple[Array, Array]:
        """Y [T, D, B, H] and Y_h [D, B, H]; with layout=1 the batch comes first."""
        del hidden_size
        x = X.swapaxes(0, 1) if layout else X
        if layout and initial_h is not None:
            initial_h = initial_h.swapaxes(0, 1)
        if not len(x):
            raise ValueError("there are no steps")
        if sequence_lens is not None and (sequence_lens != len(x)).any():
            raise NotImplementedError("sequences of different lengths")
        functions = _functions(activations, activation_alpha, activation_beta, len(W))
        runs = []
        for index in range(len(W)):
            backward = direction == "reverse" or index == 1
            biases = np.zeros(6 * R.shape[-1]) if B is None else B[index]
            h = np.zeros((x.shape[1], R.shape[-1])) if initial_h is None else initial_h[index]
            run = _run(
                x[::-1] if backward else x,
                (W[index], R[index], biases),
                h,
                functions[2 * index : 2 * index + 2],
                clip or np.inf,
                after=bool(linear_before_reset),
            )
            runs.append(run[::-1] if backward else run)
        last = [
            run[0] if direction == "reverse" or i == 1 else run[-1] for i, run in enumerate(runs)
        ]
        every, end = np.stack(runs, axis=1), np.stack(last)
        if layout:
            return every.transpose(2, 0, 1, 3), end.swapaxes(0, 1)
        return every, end


def _run(
    x: Array,
    weights: tuple[Array, Array, Array],
    h: Array,
    functions: Sequence[Callable[[Array], Array]],
    clip: float,
    *,
    after: bool,
) -> Array:
    """Hidden states [T, B, H] for x [T, B, I] from h [B, H]."""
    f, g = functions
    size = h.shape[-1]
    (w_z, w_r, w_h), (r_z, r_r, r_h) = (np.split(one, 3) for one in weights[:2])
    wb_z, wb_r, wb_h, rb_z, rb_r, rb_h = np.split(weights[2], 6)
    history = np.empty((len(x), len(h), size), np.result_type(x, h))
    for t, row in enumerate(x):
        z = f(np.clip(row @ w_z.T + h @ r_z.T + wb_z + rb_z, -clip, clip))
        r = f(np.clip(row @ w_r.T + h @ r_r.T + wb_r + rb_r, -clip, clip))
        past = r * (h @ r_h.T + rb_h) if after else (r * h) @ r_h.T + rb_h
        n = g(np.clip(row @ w_h.T + past + wb_h, -clip, clip))
        h = (1 - z) * n + z * h
        history[t] = h
    return history


def _functions(
    names: Sequence[str] | None,
    alphas: Sequence[float] | None,
    betas: Sequence[float] | None,
    directions: int,
) -> list[Callable[[Array], Array]]:
    """Each function that takes an alpha or a beta takes the next one given."""
    left_a, left_b = list(alphas or ()), list(betas or ())
    made = []
    for name in names or ["Sigmoid", "Tanh"] * directions:
        function, alpha, beta = _FUNCTIONS[name.lower()]
        a = left_a.pop(0) if alpha is not None and left_a else alpha
        b = left_b.pop(0) if beta is not None and left_b else beta
        made.append(_bound(function, a, b))
    return made


def _bound(function: Function, a: float | None, b: float | None) -> Callable[[Array], Array]:
    return lambda x: function(x, a, b)
