"""Matrix products: what is summed over must hold neither the time nor the batch."""

from collections.abc import Sequence

import onnx_ir as ir

from model_export.rewrite.axes import BATCH, Axes, Axis, has_symbol, merged
from model_export.rewrite.facts import Fact, NeedsWhole, NotAlone
from model_export.rewrite.rules.elementwise import align, broadcast, combined
from model_export.rewrite.rules.rule import Context, Outcome, given


def matmul(node: ir.Node, facts: Sequence[Fact | None], context: Context) -> Outcome:
    """[…, M, K] × […, K, N]."""
    left, right = given(facts[0]), given(facts[1])
    late, edit = align(node, (left, right), context)
    one, other = _as_matrix(left.axes, first=True), _as_matrix(right.axes, first=False)
    _check_summed(one[-1], other[-2])
    batch = broadcast((one[:-2], other[:-2]), context)
    rows = (one[-2],) if len(left.axes) > 1 else ()
    columns = (other[-1],) if len(right.axes) > 1 else ()
    return Outcome((combined((left, right), late, (*batch, *rows, *columns)),), edit)


def gemm(node: ir.Node, facts: Sequence[Fact | None], context: Context) -> Outcome:
    """A [M, K] × B [K, N] + C."""
    known = [given(fact) for fact in facts if fact is not None]
    late, edit = align(node, known, context)
    left, right = (
        fact.axes[::-1] if node.attributes.get_int(name, 0) else fact.axes
        for fact, name in zip(known, ("transA", "transB"), strict=False)
    )
    _check_summed(left[1], right[0])
    axes: Axes = (left[0], right[1])
    if len(known) > 2:
        axes = broadcast((axes, known[2].axes), context)
    return Outcome((combined(known, late, axes),), edit)


def einsum(node: ir.Node, facts: Sequence[Fact | None], context: Context) -> Outcome:
    known = [given(fact) for fact in facts]
    late, edit = align(node, known, context)
    equation = node.attributes.get_string("equation", "").replace(" ", "")
    if "..." in equation or "->" not in equation:
        raise NeedsWhole(f"has the equation {equation!r}, which is not written out")
    terms, result = equation.split("->")
    axes: dict[str, Axis] = {}
    for letters, fact in zip(terms.split(","), known, strict=True):
        for letter, axis in zip(letters, fact.axes, strict=True):
            if axes.setdefault(letter, merged(axis)) != merged(axis):
                raise NeedsWhole("combines axes that do not belong together")
    summed = [axis for letter, axis in axes.items() if letter not in result]
    if any(BATCH in axis for axis in summed):
        raise NotAlone("sums over the batch")
    if any(map(has_symbol, summed)):
        raise NeedsWhole("sums over the steps")
    return Outcome((combined(known, late, tuple(axes[letter] for letter in result)),), edit)


def _as_matrix(axes: Axes, *, first: bool) -> Axes:
    """A vector is a row on the left and a column on the right."""
    if len(axes) > 1:
        return axes
    return ((), *axes) if first else (*axes, ())


def _check_summed(left: Axis, right: Axis) -> None:
    if BATCH in left or BATCH in right:
        raise NotAlone("sums over the batch")
    if has_symbol(left) or has_symbol(right):
        raise NeedsWhole("sums over the steps")
    if merged(left) != merged(right):
        raise NeedsWhole("has operands that do not fit")
