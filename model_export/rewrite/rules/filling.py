"""Missing values that take the last one's place: `gatewise::FillForward`, no operator of ONNX.

What the networks trained here have for it; a session carries the last values.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import onnx_ir as ir

from model_export.rewrite.axes import TIME
from model_export.rewrite.facts import Fact, NeedsWhole, Source
from model_export.rewrite.rules.rule import Context, Outcome, carry, given

if TYPE_CHECKING:
    from model_export.rewrite.writer import Writer

DOMAIN = "gatewise"
"""Of operators that are no ONNX, which are written out in each graph in its own way."""
FILL_FORWARD = "FillForward"


def fill_forward(node: ir.Node, facts: Sequence[Fact | None], context: Context) -> Outcome:
    """NaN becomes the number before it along the first axis, which is the time."""
    fact = given(facts[0])
    if fact.axes[0] != (TIME,) or fact.late or fact.extra:
        raise NeedsWhole("fills along an axis that is not the time alone")
    carried = carry(context, node, 0, fact, 1, what="last")

    def fill(writer: "Writer", copy: ir.Node) -> None:
        writer.fill_forward(copy, carried)

    return Outcome((replace(fact, source=Source.STREAM, value=None),), fill)
