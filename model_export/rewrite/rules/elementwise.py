"""Operators that work number by number: alone, or on several tensors with broadcasting."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import onnx_ir as ir

from model_export.rewrite.axes import Axes, Axis, has_symbol, size_of
from model_export.rewrite.facts import Fact, NeedsWhole
from model_export.rewrite.rules.rule import Context, Edit, Outcome, carry, given, source_of

if TYPE_CHECKING:
    from model_export.rewrite.writer import Writer

UNARY = frozenset(
    (
        *("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BitwiseNot", "Cast"),
        *("Ceil", "Celu", "Clip", "Cos", "Cosh", "Dropout", "Elu", "Erf", "Exp", "Floor"),
        *("Gelu", "HardSigmoid", "HardSwish", "Identity", "IsInf", "IsNaN", "LeakyRelu"),
        *("Log", "Mish", "Neg", "Not", "Reciprocal", "Relu", "Round", "Selu", "Shrink"),
        *("Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Swish", "Tan"),
        *("Tanh", "ThresholdedRelu"),
    )
)
BROADCASTING = frozenset(
    (
        *("Add", "And", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Div", "Equal", "Greater"),
        *("GreaterOrEqual", "Less", "LessOrEqual", "Max", "Mean", "Min", "Mod", "Mul", "Or"),
        *("PRelu", "Pow", "Sub", "Sum", "Where", "Xor"),
    )
)


def unary(node: ir.Node, facts: Sequence[Fact | None], _: Context) -> Outcome:
    """Further inputs, such as the bounds of Clip, are single numbers."""
    if any(other is not None and other.source > 0 for other in facts[1:]):
        raise NeedsWhole("has bounds that are computed from an input")
    fact = given(facts[0])
    return Outcome((fact.with_axes(fact.axes),) * len(node.outputs))


def broadcasting(node: ir.Node, facts: Sequence[Fact | None], context: Context) -> Outcome:
    known = [given(fact) for fact in facts]
    aligned, edit = align(node, known, context)
    return Outcome(
        (combined(known, aligned, broadcast([fact.axes for fact in known], context)),), edit
    )


def combined(facts: Sequence[Fact], late: int, axes: Axes) -> Fact:
    """The fact of what all these were put into, once they are aligned."""
    source = source_of(facts)
    streams = [fact for fact in facts if fact.is_stream]
    extra = streams[0].extra if streams else 0
    return Fact(axes, source, late if streams else _late_of(facts), extra)


def _late_of(facts: Sequence[Fact]) -> int:
    """Values of the last step keep the delay of the step that they are of."""
    return max((fact.late for fact in facts), default=0)


def align(node: ir.Node, facts: Sequence[Fact], context: Context) -> tuple[int, Edit | None]:
    """How late the latest of the inputs is, and an edit that delays the others so far."""
    streams = [fact for fact in facts if fact.is_stream]
    if len({fact.extra for fact in streams}) > 1:
        raise NeedsWhole("combines sequences of different lengths")
    late = max((fact.late for fact in streams), default=0)
    waiting = {
        index: late - fact.late
        for index, fact in enumerate(facts)
        if fact.is_stream and fact.late < late
    }
    if not waiting:
        return late, None
    delays = {
        index: carry(context, node, index, facts[index], frames)
        for index, frames in waiting.items()
    }

    def delay(writer: "Writer", copy: ir.Node) -> None:
        for index, carried in delays.items():
            writer.delay(copy, index, carried)

    return late, delay


def broadcast(shapes: Sequence[Axes], context: Context) -> Axes:
    """The axes after broadcasting. Raises NeedsWhole where they do not fit by name."""
    rank = max(map(len, shapes), default=0)
    padded = [((),) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    return tuple(_common(column, context) for column in zip(*padded, strict=True))


def _common(column: Sequence[Axis], context: Context) -> Axis:
    kinds = sorted({axis for axis in column if axis != ()}, key=has_symbol)
    if len(kinds) <= 1:
        return kinds[0] if kinds else ()
    for axis in kinds:
        if not has_symbol(axis):
            others = [other for other in kinds if other is not axis]
            if any(context.fixed.number(size_of(other)) == size_of(axis) for other in others):
                raise NeedsWhole(f"has a number of its own for each of {size_of(axis)} steps")
    raise NeedsWhole("combines axes that do not belong together")
