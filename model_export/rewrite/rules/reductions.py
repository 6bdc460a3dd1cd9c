"""Operators that work along some axes: the time must not be one of them, nor the batch."""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from model_export.rewrite.axes import BATCH, TIME, has_symbol
from model_export.rewrite.facts import Fact, NeedsWhole, NotAlone
from model_export.rewrite.rules.rule import Context, Outcome, given

REDUCTIONS = frozenset(
    (
        *("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax"),
        *("ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare"),
    )
)
ALONG_ONE = {"Softmax": -1, "LogSoftmax": -1, "Hardmax": -1, "LpNormalization": -1}
"""Operators along `axis`, and its default."""


def reduction(node: ir.Node, facts: Sequence[Fact | None], _: Context) -> Outcome:
    fact = given(facts[0])
    rank = len(fact.axes)
    axes = _axes_of(node, facts[1] if len(facts) > 1 else None)
    if axes is None:
        axes = [] if node.attributes.get_int("noop_with_empty_axes", 0) else list(range(rank))
    chosen = {axis % rank for axis in axes}
    refuse_along(fact, chosen)
    return Outcome((fact.with_axes(_without(fact, chosen, node)),))


def arg_reduction(node: ir.Node, facts: Sequence[Fact | None], _: Context) -> Outcome:
    """ArgMax and ArgMin."""
    fact = given(facts[0])
    chosen = {node.attributes.get_int("axis", 0) % len(fact.axes)}
    refuse_along(fact, chosen)
    return Outcome((fact.with_axes(_without(fact, chosen, node)),))


def along_one(node: ir.Node, facts: Sequence[Fact | None], _: Context) -> Outcome:
    fact = given(facts[0])
    axis = node.attributes.get_int("axis", ALONG_ONE[node.op_type])
    refuse_along(fact, {axis % len(fact.axes)})
    return Outcome((fact.with_axes(fact.axes),))


def layer_normalisation(node: ir.Node, facts: Sequence[Fact | None], _: Context) -> Outcome:
    """From `axis` to the last one."""
    fact = given(facts[0])
    _refuse_computed(facts[1:])
    rank = len(fact.axes)
    first = node.attributes.get_int("axis", -1) % rank
    refuse_along(fact, set(range(first, rank)))
    means = fact.with_axes(
        tuple(() if axis >= first else one for axis, one in enumerate(fact.axes))
    )
    return Outcome((fact.with_axes(fact.axes), means, means)[: len(node.outputs)])


def batch_normalisation(node: ir.Node, facts: Sequence[Fact | None], _: Context) -> Outcome:
    """With stored means and variances, one for each channel (axis 1)."""
    fact = given(facts[0])
    _refuse_computed(facts[1:])
    if node.attributes.get_int("training_mode", 0) or len(node.outputs) > 1:
        raise NotAlone("was exported in training mode: it uses the mean of the batch")
    if len(fact.axes) > 1 and has_symbol(fact.axes[1]):
        raise NeedsWhole("has its channels where the time is")
    return Outcome((fact.with_axes(fact.axes),))


def spatial_normalisation(node: ir.Node, facts: Sequence[Fact | None], _: Context) -> Outcome:
    """InstanceNormalization and GroupNormalization: over all axes but the first."""
    fact = given(facts[0])
    _refuse_computed(facts[1:])
    refuse_along(fact, set(range(1, len(fact.axes))))
    return Outcome((fact.with_axes(fact.axes),))


def global_pool(node: ir.Node, facts: Sequence[Fact | None], _: Context) -> Outcome:
    fact = given(facts[0])
    spatial = set(range(2, len(fact.axes)))
    refuse_along(fact, spatial)
    axes = tuple(() if index in spatial else axis for index, axis in enumerate(fact.axes))
    return Outcome((fact.with_axes(axes),))


def refuse_along(fact: Fact, axes: set[int]) -> None:
    """Raises NeedsWhole where one of the axes is, or holds, the time or the batch."""
    if any(BATCH in fact.axes[axis] for axis in axes):
        raise NotAlone("works along the batch: it mixes the sequences of a batch")
    if any(TIME in fact.axes[axis] for axis in axes):
        raise NeedsWhole("works along the time: it needs all steps at once")


def _refuse_computed(facts: Sequence[Fact | None]) -> None:
    if any(fact is not None and fact.source > 0 for fact in facts):
        raise NeedsWhole("has weights that are computed from an input")


def _axes_of(node: ir.Node, fact: Fact | None) -> list[int] | None:
    """The axes to reduce; None for all of them."""
    if fact is None:
        found = node.attributes.get_ints("axes", ())
        return [int(axis) for axis in found] or None
    if fact.value is None:
        raise NeedsWhole("works along axes that are computed")
    return [int(axis) for axis in np.atleast_1d(fact.value)] or None


def _without(fact: Fact, chosen: set[int], node: ir.Node) -> tuple[tuple[object, ...], ...]:
    keep = node.attributes.get_int("keepdims", 1)
    return tuple(
        () if index in chosen else axis
        for index, axis in enumerate(fact.axes)
        if keep or index not in chosen
    )
