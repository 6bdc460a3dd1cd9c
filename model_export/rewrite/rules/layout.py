"""Operators that move numbers and leave them as they are."""

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir
import sympy

from model_export.rewrite.axes import (
    BATCH,
    TIME,
    Axes,
    Axis,
    B,
    Size,
    T,
    has_symbol,
    length_of,
    regroup,
    size_of,
)
from model_export.rewrite.facts import Fact, NeedsWhole
from model_export.rewrite.rules.rule import Context, Edit, Outcome, attribute_ints, given

if TYPE_CHECKING:
    from model_export.rewrite.writer import Writer


def transpose(node: ir.Node, facts: Sequence[Fact | None], _: Context) -> Outcome:
    fact = given(facts[0])
    order = attribute_ints(node, "perm", range(len(fact.axes))[::-1])
    value = None if fact.value is None else fact.value.transpose(order)
    return Outcome((replace(fact, axes=tuple(fact.axes[axis] for axis in order), value=value),))


def unsqueeze(node: ir.Node, facts: Sequence[Fact | None], _: Context) -> Outcome:
    fact = given(facts[0])
    chosen = numbers_of(facts[1])
    rank = len(fact.axes) + len(chosen)
    added = {axis % rank for axis in chosen}
    kept = iter(fact.axes)
    axes = tuple(() if axis in added else next(kept) for axis in range(rank))
    value = None if fact.value is None else np.expand_dims(fact.value, tuple(sorted(added)))
    return Outcome((replace(fact, axes=axes, value=value),))


def squeeze(node: ir.Node, facts: Sequence[Fact | None], context: Context) -> Outcome:
    fact = given(facts[0])
    rank = len(fact.axes)
    if len(facts) > 1 and facts[1] is not None:
        chosen = {axis % rank for axis in numbers_of(facts[1])}
    else:
        chosen = {axis for axis in range(rank) if fact.axes[axis] == ()}
    for axis in chosen:
        if fact.axes[axis] != ():
            raise NeedsWhole(f"squeezes axis {axis}, which is {_name(fact.axes[axis])}")
    axes = tuple(one for axis, one in enumerate(fact.axes) if axis not in chosen)
    value = (
        None
        if fact.value is None
        else fact.value.reshape(
            [size for axis, size in enumerate(fact.value.shape) if axis not in chosen]
        )
    )
    return Outcome((replace(fact, axes=axes, value=value),))


def reshape(node: ir.Node, facts: Sequence[Fact | None], context: Context) -> Outcome:
    fact = given(facts[0])
    if fact.value is not None and fact.value.size <= 1 and facts[1] is not None:
        return _reshaped_number(fact, facts[1])
    targets = sizes_of(facts[1], "the shape of")
    if not node.attributes.get_int("allowzero", 0):
        targets = [
            size_of(fact.axes[index], fact.extra) if target == 0 else target
            for index, target in enumerate(targets)
        ]
    return _regrouped(fact, targets, context)


def flatten(node: ir.Node, facts: Sequence[Fact | None], context: Context) -> Outcome:
    fact = given(facts[0])
    rank = len(fact.axes)
    first = node.attributes.get_int("axis", 1)
    first = first + rank if first < 0 else first
    sizes = [size_of(axis, fact.extra) for axis in fact.axes]
    targets: list[Size] = [prod(sizes[:first]), prod(sizes[first:])]
    return _regrouped(fact, targets, context)


def _reshaped_number(fact: Fact, shape: Fact) -> Outcome:
    assert fact.value is not None
    rank = len(numbers_of(shape))
    value = fact.value.reshape((1,) * rank) if fact.value.size else fact.value
    return Outcome((replace(fact, axes=((),) * rank, value=value),))


def _regrouped(fact: Fact, targets: list[Size], context: Context) -> Outcome:
    total = prod(size_of(axis, fact.extra) for axis in fact.axes)
    if -1 in targets:
        index = targets.index(-1)
        others = prod(target for target in targets if target != -1)
        targets[index] = _rest(total, others, context)
    axes = regroup(fact.axes, targets, context.fixed, fact.extra)
    if axes is None:
        had = ", ".join(map(_name, fact.axes))
        raise NeedsWhole(f"cuts [{had}] into {targets}, which takes the steps apart")
    return Outcome((fact.with_axes(axes),), _rebuild_shape(axes) if fact.source else None)


def _rest(total: Size, others: Size, context: Context) -> Size:
    """What −1 stands for."""
    rest = sympy.cancel(sympy.sympify(total) / others)
    if sympy.denom(rest) == 1:
        return _plain(rest)
    known, divisor = context.fixed.number(total), context.fixed.number(others)
    if known is None or divisor is None or known % divisor:
        raise NeedsWhole("has a shape that fits the lengths of one export only")
    # A file that fixes the time may still leave the batch open.
    return known // divisor


def _plain(size: sympy.Expr) -> Size:
    return int(size) if size.is_Integer else size


def _rebuild_shape(axes: Axes) -> Edit:
    def rebuild(writer: "Writer", copy: ir.Node) -> None:
        copy_of_shape = writer.shape(copy, axes)
        if copy.op_type == "Flatten":
            writer.replace(copy, "Reshape", [copy.inputs[0], copy_of_shape])
        else:
            copy.replace_input_with(1, copy_of_shape)
            copy.attributes.pop("allowzero", None)

    return rebuild


def expand(node: ir.Node, facts: Sequence[Fact | None], context: Context) -> Outcome:
    fact = given(facts[0])
    targets = sizes_of(facts[1], "the shape of")
    rank = max(len(targets), len(fact.axes))
    had = ((),) * (rank - len(fact.axes)) + fact.axes
    wanted: list[Size] = [*[1] * (rank - len(targets)), *targets]
    axes = tuple(
        _expanded(axis, size, fact, context) for axis, size in zip(had, wanted, strict=True)
    )
    if fact.source > 1 and any(TIME in axis for axis in axes) and fact.time_axis is None:
        raise NeedsWhole("repeats what is known after the last step for every step")
    # A file that fixes the batch at one expands by numbers.
    return Outcome((fact.with_axes(axes),), _rebuild_shape(axes) if fact.source else None)


def _expanded(axis: Axis, size: Size, fact: Fact, context: Context) -> Axis:
    length = size_of(axis, fact.extra)
    if size in (1, length) or (axis != () and context.fixed.number(length) == size != 1):
        return axis
    if axis != ():
        # Where a file fixes the batch at one, one sequence would become several.
        raise NeedsWhole(f"expands an axis of {_name(axis)} to {size}")
    return _repeated(size, context, has_time=fact.time_axis is not None)


def _repeated(size: Size, context: Context, *, has_time: bool) -> Axis:
    """What an axis of length one becomes; the length that a file fixes for the time is the time."""
    return (TIME,) if size == context.fixed.time and not has_time else axis_of(size)


def axis_of(size: Size) -> Axis:
    """An axis by its length."""
    number = sympy.sympify(size)
    symbols: list[Any] = []
    for symbol, name in ((B, BATCH), (T, TIME)):
        rest = sympy.cancel(number / symbol)
        if number.has(symbol) and sympy.denom(rest) == 1 and not rest.has(symbol):
            symbols.append(name)
            number = rest
    if not number.is_Integer:
        raise NeedsWhole(f"has a length of {size}")
    return (*symbols, int(number)) if number != 1 else tuple(symbols)


def tile(node: ir.Node, facts: Sequence[Fact | None], _: Context) -> Outcome:
    fact = given(facts[0])
    repeats = sizes_of(facts[1], "the repeats of")
    axes: list[Axis] = []
    for axis, count in zip(fact.axes, repeats, strict=True):
        if count != 1 and axis != ():
            if has_symbol(axis) or not isinstance(count, int):
                raise NeedsWhole("repeats the steps, or the sequences of a batch")
            axes.append((count * length_of(axis),))
        else:
            axes.append(axis if count == 1 else axis_of(count))
    if fact.source > 1 and fact.time_axis is None and any(TIME in axis for axis in axes):
        raise NeedsWhole("repeats what is known after the last step for every step")
    return Outcome((fact.with_axes(axes),))


def split(node: ir.Node, facts: Sequence[Fact | None], _: Context) -> Outcome:
    fact = given(facts[0])
    axis = node.attributes.get_int("axis", 0) % len(fact.axes)
    if has_symbol(fact.axes[axis]):
        raise NeedsWhole("cuts the sequence into pieces")
    length = length_of(fact.axes[axis])
    if len(facts) > 1 and facts[1] is not None:
        sizes = numbers_of(facts[1])
    else:
        count = len(node.outputs)
        piece = -(-length // count)
        sizes = [min(piece, length - index * piece) for index in range(count)]
    return Outcome(
        tuple(
            fact.with_axes(
                tuple(
                    axis_of(size) if index == axis else one for index, one in enumerate(fact.axes)
                )
            )
            for size in sizes
        )
    )


def numbers_of(fact: Fact | None) -> list[int]:
    """Integers that must be known."""
    sizes = sizes_of(fact, "the axes of")
    if not all(isinstance(size, int) for size in sizes):
        raise NeedsWhole("has axes that depend on the lengths")
    return [int(size) for size in sizes]


def sizes_of(fact: Fact | None, what: str) -> list[Size]:
    """Lengths as numbers or expressions, which must be known."""
    if fact is None or fact.value is None:
        raise NeedsWhole(f"is computed: {what} it cannot be told")
    found = [sympy.sympify(size) for size in np.atleast_1d(fact.value).ravel().tolist()]
    return [_plain(size) for size in found]


def _name(axis: Axis) -> str:
    return " × ".join(map(str, axis)) or "1"
