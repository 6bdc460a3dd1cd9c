"""The input that a rewritten graph takes in the place of the model's own."""

from collections.abc import Sequence
from math import prod

import onnx_ir as ir

from model_export.errors import ModelRefused
from model_export.rewrite.axes import Axes, width_of


def new_input(old: ir.Value, axes: Axes, lengths: Sequence[str]) -> ir.Value:
    """`input` [*lengths, F] float32, or [*lengths] int64 for tokens.

    Raises ModelRefused where the model takes something else at each step.
    """
    width = prod(map(width_of, axes))
    if old.dtype in (ir.DataType.INT64, ir.DataType.INT32):
        if width != 1:
            raise ModelRefused(f"the input {old.name!r} takes {width} tokens a step")
        return ir.val("input", ir.DataType.INT64, list(lengths))
    if old.dtype != ir.DataType.FLOAT:
        raise ModelRefused(f"the input {old.name!r} holds {old.dtype}; floats or tokens are taken")
    return ir.val("input", ir.DataType.FLOAT, [*lengths, width])
