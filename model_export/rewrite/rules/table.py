"""Which rule an operator has."""

from collections.abc import Sequence

import onnx_ir as ir

from model_export.rewrite.axes import BATCH, TIME
from model_export.rewrite.facts import Fact, NeedsWhole, NotAlone
from model_export.rewrite.rules import (
    elementwise,
    filling,
    layout,
    pieces,
    products,
    recurrent,
    reductions,
    shapes,
    windows,
)
from model_export.rewrite.rules.rule import Context, Outcome, Rule

RULES: dict[str, Rule] = {
    **dict.fromkeys(elementwise.UNARY, elementwise.unary),
    **dict.fromkeys(elementwise.BROADCASTING, elementwise.broadcasting),
    **dict.fromkeys(reductions.REDUCTIONS, reductions.reduction),
    **dict.fromkeys(reductions.ALONG_ONE, reductions.along_one),
    **dict.fromkeys(("ArgMax", "ArgMin"), reductions.arg_reduction),
    **dict.fromkeys(recurrent.RECURRENT, recurrent.recurrent),
    **dict.fromkeys(("AveragePool", "LpPool", "MaxPool"), windows.pool),
    **dict.fromkeys(("GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool"), reductions.global_pool),
    **dict.fromkeys(
        ("GroupNormalization", "InstanceNormalization"), reductions.spatial_normalisation
    ),
    "BatchNormalization": reductions.batch_normalisation,
    "Concat": pieces.concat,
    "ConstantOfShape": shapes.constant_of_shape,
    "Conv": windows.convolution,
    "ConvTranspose": windows.transposed,
    "CumSum": pieces.cumulative_sum,
    "Einsum": products.einsum,
    "Expand": layout.expand,
    "Flatten": layout.flatten,
    "Gather": pieces.gather,
    "Gemm": products.gemm,
    "LayerNormalization": reductions.layer_normalisation,
    "MatMul": products.matmul,
    "Pad": pieces.pad,
    "RMSNormalization": reductions.layer_normalisation,
    "Reshape": layout.reshape,
    "Shape": shapes.shape,
    "Slice": pieces.slices,
    "Split": layout.split,
    "Squeeze": layout.squeeze,
    "Tile": layout.tile,
    "Transpose": layout.transpose,
    "Unsqueeze": layout.unsqueeze,
}


def outcome_of(node: ir.Node, facts: Sequence[Fact | None], context: Context) -> Outcome:
    """What the rule of a node says. Raises NeedsWhole."""
    numbers = shapes.arithmetic(node, facts)
    if numbers is not None:
        return Outcome((shapes.known(numbers),))
    rule = _rule_of(node)
    lengths = shapes.lengths_used(node, facts)
    outcome = rule(node, facts, context)
    for fact in outcome.facts:
        if isinstance(fact, Fact):
            _refuse_pairs(fact)
    return shapes.depending(outcome, lengths) if lengths else outcome


def _rule_of(node: ir.Node) -> Rule:
    if node.domain in ("", "ai.onnx"):
        return RULES.get(node.op_type, shapes.fallback)
    if (node.domain, node.op_type) == (filling.DOMAIN, filling.FILL_FORWARD):
        return filling.fill_forward
    return shapes.fallback


def _refuse_pairs(fact: Fact) -> None:
    """Raises NeedsWhole where the time, or the batch, is in two axes."""
    factors = [factor for axis in fact.axes for factor in axis]
    if factors.count(BATCH) > 1:
        raise NotAlone("compares every sequence of a batch with every other one")
    if factors.count(TIME) > 1:
        raise NeedsWhole("compares every step with every other one, as attention does")
