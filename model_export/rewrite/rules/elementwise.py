"""Operators that work number by number: alone, or on several tensors with broadcasting."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir

from model_export.rewrite.axes import Axes, Axis, has_symbol, size_of
from model_export.rewrite.facts import Fact, NeedsWhole, NotAlone
from model_export.rewrite.rules.rule import Context, Edit, Outcome, carry, given, source_of

if TYPE_CHECKING:
    from model_export.rewrite.writer import Writer

UNARY = frozenset(
    (
        *("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BitwiseNot", "Cast"),
        *("Ceil", "Celu", "Clip", "Cos", "Cosh", "Elu", "Erf", "Exp", "Floor"),
        *("Gelu", "HardSigmoid", "HardSwish", "Identity", "IsInf", "IsNaN", "LeakyRelu"),
        *("Log", "Mish", "Neg", "Not", "Reciprocal", "Relu", "Round", "Selu", "Shrink"),
        *("Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Swish", "Tan"),
        *("Tanh", "ThresholdedRelu"),
    )
)
RANDOM = frozenset(
    (
        *("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike"),
        *("RandomUniform", "RandomUniformLike"),
    )
)
BROADCASTING = frozenset(
    (
        *("Add", "And", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Div", "Equal", "Greater"),
        *("GreaterOrEqual", "Less", "LessOrEqual", "Max", "Mean", "Min", "Mod", "Mul", "Or"),
        *("PRelu", "Pow", "Sub", "Sum", "Where", "Xor"),
    )
)


def unary(node: ir.Node, facts: Sequence[Fact | None], context: Context) -> Outcome:
    """Further inputs, such as the bounds of Clip, are single numbers."""
    if any(other is not None and other.source > 0 for other in facts[1:]):
        raise NeedsWhole("has bounds that are computed from an input")
    fact, edit = settled(node, given(facts[0]), context)
    return Outcome((fact.with_axes(fact.axes),) * len(node.outputs), edit)


def random(node: ir.Node, facts: Sequence[Fact | None], _: Context) -> Outcome:
    raise NotAlone("draws random numbers")


def dropout(node: ir.Node, facts: Sequence[Fact | None], context: Context) -> Outcome:
    """Nothing at all, unless a file was exported while it was trained."""
    training = facts[2] if len(facts) > 2 else None
    if training is not None and (training.value is None or np.any(training.value)):
        raise NotAlone("was exported in training mode: it draws random numbers")
    return unary(node, facts, context)


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


def unpadded(fact: Fact) -> Fact:
    """The fact itself. Raises NeedsWhole for one that begins with padding."""
    if fact.is_stream and fact.late < 0:
        raise NeedsWhole("works on frames of padding; pad right before the convolution instead")
    return fact


def settled(node: ir.Node, fact: Fact, context: Context) -> tuple[Fact, Edit | None]:
    """The first input of a node without the padding that it begins with, which the session carries
    as frames of the past."""
    late, edit = align(node, [fact], context)
    return (replace(fact, late=late, padding=0.0) if edit else fact), edit


def align(node: ir.Node, facts: Sequence[Fact], context: Context) -> tuple[int, Edit | None]:
    """How late the latest of the inputs is, and an edit that delays the others so far.

    Padding before a sequence is a sequence that is early: delayed, it comes as it is.
    """
    streams = [fact for fact in facts if fact.is_stream]
    if len({fact.extra for fact in streams}) > 1:
        raise NeedsWhole("combines sequences of different lengths")
    if any(fact.late < 0 < fact.extra for fact in streams):
        raise NeedsWhole("works on frames of padding; pad right before the convolution instead")
    late = max((fact.late for fact in streams), default=0)
    late = max(0, late) if streams else late
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
