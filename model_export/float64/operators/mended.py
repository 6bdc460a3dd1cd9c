"""Operators that the onnx package's reference implementation computes wrongly, in NumPy."""

from collections.abc import Sequence
from itertools import product
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from onnx.reference.op_run import OpRun

Array = NDArray[Any]


class GlobalMaxPool(OpRun):
    """https://onnx.ai/onnx/operators/onnx__GlobalMaxPool.html; the package's is for images only."""

    op_domain = ""

    def _run(self, X: Array) -> tuple[Array]:
        return (X.max(axis=tuple(range(2, X.ndim)), keepdims=True),)


class Pad(OpRun):
    """https://onnx.ai/onnx/operators/onnx__Pad.html; the package's cuts nothing off."""

    op_domain = ""

    def _run(  # the operator's own inputs and attributes, by their names
        self,
        data: Array,
        pads: Array,
        constant_value: Array | None = None,
        axes: Array | None = None,
        *,
        mode: Literal["constant", "edge", "reflect", "wrap"] = "constant",
    ) -> tuple[Array]:
        widths = np.zeros((data.ndim, 2), np.int64)
        chosen = range(data.ndim) if axes is None else axes
        for at, axis in enumerate(chosen):
            widths[axis] = pads[at], pads[len(chosen) + at]
        if mode == "constant":
            number = 0 if constant_value is None else constant_value
            padded = np.pad(data, np.maximum(widths, 0), constant_values=number)
        else:
            padded = np.pad(data, np.maximum(widths, 0), mode=mode)
        cut = [slice(max(0, -begin), min(0, end) or None) for begin, end in widths]
        return (padded[tuple(cut)].astype(data.dtype),)


class ConvTranspose(OpRun):
    """https://onnx.ai/onnx/operators/onnx__ConvTranspose.html; the package's mixes up groups."""

    op_domain = ""

    def _run(  # the operator's own inputs and attributes, by their names
        self,
        X: Array,
        W: Array,
        B: Array | None = None,
        *,
        auto_pad: str | None = None,
        dilations: Sequence[int] | None = None,
        group: int | None = None,
        kernel_shape: Sequence[int] | None = None,
        output_padding: Sequence[int] | None = None,
        output_shape: Sequence[int] | None = None,
        pads: Sequence[int] | None = None,
        strides: Sequence[int] | None = None,
    ) -> tuple[Array]:
        """X [N, C, …], W [C, O / group, …] → [N, O, …]."""
        del kernel_shape
        if output_shape or auto_pad not in (None, "NOTSET"):
            raise NotImplementedError("output_shape and auto_pad")
        rank, groups = X.ndim - 2, group or 1
        by, apart = strides or [1] * rank, dilations or [1] * rank
        sizes = [
            step * (length - 1) + (kernel - 1) * gap + 1 + more
            for step, length, kernel, gap, more in zip(
                by, X.shape[2:], W.shape[2:], apart, output_padding or [0] * rank, strict=True
            )
        ]
        spread = np.zeros((len(X), groups, W.shape[1], *sizes), X.dtype)
        inputs = X.reshape(len(X), groups, -1, *X.shape[2:])
        weights = W.reshape(groups, -1, *W.shape[1:])
        for place in product(*map(range, W.shape[2:])):
            of_place: tuple[Any, ...] = (..., *place)
            part = np.einsum("ngc...,gco->ngo...", inputs, weights[of_place])
            reached: tuple[Any, ...] = (
                ...,
                *(
                    slice(at * gap, at * gap + step * (length - 1) + 1, step)
                    for at, gap, step, length in zip(place, apart, by, X.shape[2:], strict=True)
                ),
            )
            spread[reached] += part
        cut = pads or [0] * 2 * rank
        kept: tuple[Any, ...] = (
            ...,
            *(slice(cut[at], size - cut[rank + at]) for at, size in enumerate(sizes)),
        )
        made = spread.reshape(len(X), -1, *sizes)[kept]
        return (made if B is None else made + B.reshape(-1, *[1] * rank),)


MENDED = (ConvTranspose, GlobalMaxPool, Pad)
