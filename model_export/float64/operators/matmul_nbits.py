"""ONNX Runtime's product by 8-bit weights in NumPy, for runs in float64.

The weights are those that the levels stand for; the left operand is not rounded, which ONNX Runtime
does on top: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx.reference.op_run import OpRun

Array = NDArray[Any]
_MIDDLE = 128


class MatMulNBits(OpRun):
    """Without zero points, as `quantize` writes it."""

    op_domain = "com.microsoft"

    def _run(  # the operator's own inputs and attributes, by their names
        self,
        A: Array,
        B: Array,
        scales: Array,
        K: int,
        N: int,
        bits: int,
        block_size: int,
        accuracy_level: int = 0,
    ) -> tuple[Array]:
        """A [..., K] by weights [K, N] of levels B [N, blocks, block_size] and their scales."""
        del accuracy_level
        if bits != 8:
            raise NotImplementedError(f"MatMulNBits with {bits} bits")
        levels = B.reshape(N, -1, block_size).astype(np.float64) - _MIDDLE
        weights = (levels * scales.reshape(N, -1, 1)).reshape(N, -1)[:, :K]
        return (A @ weights.T,)
