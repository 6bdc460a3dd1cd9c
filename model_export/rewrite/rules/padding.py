"""A sequence that begins with padding, in front of an operator that is no convolution.

Exporters write `x[t − 1]` as a step of padding in front and the last step cut away. A convolution
looks back at the padding where it is; for any other operator the sequence is delayed, so that it
begins with the padding as the past of the session.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import onnx_ir as ir

from model_export.rewrite.axes import TIME
from model_export.rewrite.facts import Fact, NeedsWhole
from model_export.rewrite.rules.rule import Context, Edit, carry

if TYPE_CHECKING:
    from model_export.rewrite.writer import Writer

_KEEP = frozenset(
    (
        *("AveragePool", "Conv", "Expand", "Flatten", "LpPool", "MaxPool", "Pad", "Reshape"),
        *("Shape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"),
    )
)
"""Operators that leave the padding what it is, or whose rule sees to it."""


def settled(
    node: ir.Node, facts: Sequence[Fact | None], context: Context
) -> tuple[list[Fact | None], Edit | None]:
    """The facts of a node's inputs once none begins with padding, and the edit that makes it so."""
    made = list(facts)
    delays = {}
    for index, fact in enumerate(facts):
        if fact is None or not fact.is_stream or fact.late >= 0 or _keeps(node, fact):
            continue
        if fact.extra > 0:
            raise NeedsWhole("works on frames of padding; pad right before the convolution instead")
        delays[index] = carry(context, node, index, fact, -fact.late, what="padding")
        made[index] = replace(fact, late=0, padding=0.0, value=None)
    if not delays:
        return made, None

    def delay(writer: "Writer", copy: ir.Node) -> None:
        for index, carried in delays.items():
            writer.delay(copy, index, carried)

    return made, delay


def _keeps(node: ir.Node, fact: Fact) -> bool:
    if node.op_type == "Concat":
        return TIME in fact.axes[node.attributes.get_int("axis", 0)]
    return node.op_type in _KEEP
