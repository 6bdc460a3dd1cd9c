"""The operator `gatewise::gru`, which stands for one GRU layer in an exported graph.

torch.onnx decomposes nn.GRU into a loop unrolled over time. An operator of our own stays whole in
the traced graph and is translated to the ONNX GRU operator, for either reset variant.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
from onnx.defs import OpSchema
from onnxscript import opset18 as op
from onnxscript.values import Op, Opset
from torch import Tensor

from model_export.convention import TORCH_BLOCKS_IN_ONNX_ORDER
from model_export.model.recurrence import GRUWeights, gru_reset_after, gru_reset_before
from model_export.rewrite.rules.filling import DOMAIN, FILL_FORWARD

OnnxValue: TypeAlias = Any
"""A tensor while a graph is written; onnxscript has no one type for it."""


@torch.library.custom_op("gatewise::gru", mutates_args=())
def gru(x: Tensor, h0: Tensor, weights: list[Tensor], linear_before_reset: int) -> Tensor:
    """All states [T, B, H] of one layer for x [T, B, I] from h0 [B, H].

    `weights` are those of GRUWeights in order. `linear_before_reset` is ONNX's name: 1 for reset
    "after", 0 for reset "before".
    """
    if linear_before_reset:
        return gru_reset_after(x, h0, GRUWeights(*weights))
    return gru_reset_before(x, h0, GRUWeights(*weights))


@gru.register_fake
def _(x: Tensor, h0: Tensor, *_: object) -> Tensor:
    return x.new_empty(x.shape[0], x.shape[1], h0.shape[1])


def _in_onnx_order(weights: OnnxValue, hidden_size: int) -> OnnxValue:
    # Slice, not Split: the exporter folds it, so that the reordered weights end as initializers.
    def block(index: int) -> OnnxValue:
        start = _integers(index * hidden_size)
        return op.Slice(weights, start, _integers((index + 1) * hidden_size), _integers(0))

    return op.Concat(*(block(index) for index in TORCH_BLOCKS_IN_ONNX_ORDER), axis=0)


def _integers(*values: int) -> OnnxValue:
    return op.Constant(value_ints=list(values))


def _gru_in_onnx(
    x: OnnxValue, h0: OnnxValue, weights: Sequence[OnnxValue], linear_before_reset: int
) -> OnnxValue:
    """https://onnx.ai/onnx/operators/onnx__GRU.html"""
    weight_ih, weight_hh, bias_ih, bias_hh = weights
    hidden_size = weight_hh.shape[1]

    def one_direction(tensor: OnnxValue) -> OnnxValue:
        return op.Unsqueeze(tensor, _integers(0))

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
    return op.Squeeze(states, _integers(1))


def fill_forward(x: Tensor, before: Tensor) -> Tensor:
    """x [T, B, F] with the last number for every NaN, or `before` [B, F] where none came."""
    if torch.compiler.is_exporting():
        filled: Tensor = _exported_fill(x)
        return filled
    steps = torch.arange(1, len(x) + 1, device=x.device)[:, None, None]
    latest = torch.where(x.isnan(), 0, steps).cummax(dim=0).values
    return torch.cat([before.unsqueeze(0), x.nan_to_num()]).gather(0, latest)


@torch.library.custom_op("gatewise::fill_forward", mutates_args=())
def _exported_fill(x: Tensor) -> Tensor:
    """From zeros on, which is how a session begins."""
    return fill_forward(x, torch.zeros_like(x[0]))


@_exported_fill.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x)


_FILL_FORWARD = Op(
    Opset(DOMAIN, 1),
    FILL_FORWARD,
    OpSchema(
        FILL_FORWARD,
        DOMAIN,
        1,
        inputs=[OpSchema.FormalParameter("x", "T")],
        outputs=[OpSchema.FormalParameter("y", "T")],
        type_constraints=[("T", ["tensor(float)", "tensor(double)"], "")],
    ),
)


def _fill_in_onnx(x: OnnxValue) -> OnnxValue:
    return _FILL_FORWARD(x)


ONNX_TRANSLATION: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.ops.gatewise.gru.default: _gru_in_onnx,
    torch.ops.gatewise.fill_forward.default: _fill_in_onnx,
}
"""For `custom_translation_table` of `torch.onnx.export`."""
