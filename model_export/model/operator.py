"""The operator `gatewise::gru`, which stands for one GRU layer in an exported graph.

torch.onnx decomposes nn.GRU into a loop unrolled over time. An operator of our own stays whole in
the traced graph and is translated to the ONNX GRU operator, for either reset variant.
"""

from collections.abc import Callable
from typing import Any

import torch
from onnxscript import opset18 as op
from torch import Tensor

from model_export.convention import TORCH_BLOCKS_IN_ONNX_ORDER
from model_export.model.recurrence import gru_reset_after, gru_reset_before


@torch.library.custom_op("gatewise::gru", mutates_args=())
def gru(
    x: Tensor,
    h0: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor,
    bias_hh: Tensor,
    linear_before_reset: int,
    hidden_size: int,
) -> Tensor:
    """All states [T, B, H] of one layer for x [T, B, I] from h0 [B, H]; weights as in nn.GRU.

    `linear_before_reset` is ONNX's name: 1 for reset "after", 0 for reset "before".
    """
    if linear_before_reset:
        return gru_reset_after(x, h0, weight_ih, weight_hh, bias_ih, bias_hh)
    return gru_reset_before(x, h0, weight_ih, weight_hh, bias_ih + bias_hh)


@gru.register_fake
def _(
    x: Tensor,
    h0: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor,
    bias_hh: Tensor,
    linear_before_reset: int,
    hidden_size: int,
) -> Tensor:
    return x.new_empty(x.shape[0], x.shape[1], hidden_size)


def _in_onnx_order(weights: Any, hidden_size: int) -> Any:
    # Slice, not Split: the exporter's constant folding reaches through it, so that the reordered
    # weights end as initializers.
    def block(index: int) -> Any:
        start = op.Constant(value_ints=[index * hidden_size])
        end = op.Constant(value_ints=[(index + 1) * hidden_size])
        return op.Slice(weights, start, end, op.Constant(value_ints=[0]))

    return op.Concat(*(block(index) for index in TORCH_BLOCKS_IN_ONNX_ORDER), axis=0)


def _gru_in_onnx(
    x: Any,
    h0: Any,
    weight_ih: Any,
    weight_hh: Any,
    bias_ih: Any,
    bias_hh: Any,
    linear_before_reset: int,
    hidden_size: int,
) -> Any:
    """https://onnx.ai/onnx/operators/onnx__GRU.html"""

    def one_direction(tensor: Any) -> Any:
        return op.Unsqueeze(tensor, op.Constant(value_ints=[0]))

    biases = (_in_onnx_order(bias, hidden_size) for bias in (bias_ih, bias_hh))
    states, _ = op.GRU(
        x,
        one_direction(_in_onnx_order(weight_ih, hidden_size)),
        one_direction(_in_onnx_order(weight_hh, hidden_size)),
        one_direction(op.Concat(*biases, axis=0)),
        None,
        one_direction(h0),
        hidden_size=hidden_size,
        linear_before_reset=linear_before_reset,
    )
    return op.Squeeze(states, op.Constant(value_ints=[1]))


ONNX_TRANSLATION: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.ops.gatewise.gru.default: _gru_in_onnx
}
"""For `custom_translation_table` of `torch.onnx.export`."""
