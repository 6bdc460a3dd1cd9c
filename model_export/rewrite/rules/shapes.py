"""Arithmetic on shapes, and what is filled with one number."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx_ir as ir
import sympy
from numpy.typing import NDArray

from model_export.rewrite.axes import BATCH, TIME, B, Symbol, T, axes_of, size_of
from model_export.rewrite.facts import Fact, NeedsWhole, NotAlone, Source
from model_export.rewrite.rules.layout import axis_of, sizes_of
from model_export.rewrite.rules.rule import Context, Outcome, given

LARGEST = 64
"""Numbers of a value whose arithmetic is followed; shapes are short."""


def shape(node: ir.Node, facts: Sequence[Fact | None], _: Context) -> Outcome:
    fact = given(facts[0])
    sizes = [size_of(axis, fact.extra if fact.is_stream else 0) for axis in fact.axes]
    begin = node.attributes.get_int("start", 0)
    end = node.attributes.get_int("end", len(sizes))
    return Outcome((known(_symbolic(sizes[begin:end])),))


def constant_of_shape(node: ir.Node, facts: Sequence[Fact | None], _: Context) -> Outcome:
    """The same number everywhere, whatever the lengths are."""
    sizes = sizes_of(facts[0], "the shape of")
    return Outcome((Fact(tuple(axis_of(size) for size in sizes)),))


def known(value: NDArray[Any]) -> Fact:
    """The fact of a STATIC value whose numbers are followed."""
    return Fact(axes_of(value.shape), Source.STATIC, value=value)


def arithmetic(node: ir.Node, facts: Sequence[Fact | None]) -> NDArray[Any] | None:
    """The numbers that an operator makes of known ones; None where it is not for shapes."""
    compute = _ARITHMETIC.get(node.op_type)
    values = [None if fact is None else fact.value for fact in facts]
    if compute is None or any(
        fact is not None and (value is None or value.size > LARGEST)
        for fact, value in zip(facts, values, strict=True)
    ):
        return None
    try:
        return compute(node, [value for value in values if value is not None])
    except (TypeError, ValueError, IndexError, ZeroDivisionError, AttributeError):
        return None


_LAYOUT = {
    **{name: {1} for name in ("Expand", "Reshape", "Split", "Squeeze", "Tile", "Unsqueeze")},
    "ConstantOfShape": {0},
    "Gather": {1},
    "Pad": {1, 3},
    "Shape": {0},
    "Slice": {1, 2, 3, 4},
}
"""Inputs that say where numbers go, and not which."""


def lengths_used(node: ir.Node, facts: Sequence[Fact | None]) -> frozenset[Symbol]:
    """What lengths decide the numbers that a node makes."""
    layout = _LAYOUT.get(node.op_type, set())
    if node.op_type == "Gather" and facts[0] is not None and not facts[0].source:
        layout = set()
    used: set[Symbol] = set()
    for at, fact in enumerate(facts):
        if fact is not None and at not in layout:
            used |= fact.lengths | _symbols(fact.value)
    return frozenset(used)


def _symbols(value: NDArray[Any] | None) -> set[Symbol]:
    if value is None or value.dtype != object:
        return set()
    found = set().union(*(sympy.sympify(one).free_symbols for one in value.ravel().tolist()))
    return {name for symbol, name in ((B, BATCH), (T, TIME)) if symbol in found}


def depending(outcome: Outcome, lengths: frozenset[Symbol]) -> Outcome:
    """The same, of numbers that depend on some lengths.

    Raises NeedsWhole where they are numbers of a session: it never knows its length.
    """
    if any(isinstance(fact, Fact) and fact.source for fact in outcome.facts):
        if BATCH in lengths:
            raise NotAlone("depends on how many sequences a batch has")
        raise NeedsWhole("depends on the length of the sequence")
    facts = [
        replace(fact, lengths=fact.lengths | lengths) if isinstance(fact, Fact) else fact
        for fact in outcome.facts
    ]
    return replace(outcome, facts=tuple(facts))


Values = list[NDArray[Any]]


def _symbolic(sizes: Sequence[Any]) -> NDArray[Any]:
    made = np.empty(len(sizes), object)
    made[:] = [sympy.sympify(size) for size in sizes]
    return made


def _gather(node: ir.Node, values: Values) -> NDArray[Any]:
    indexes = values[1].astype(np.int64)
    return np.asarray(np.take(values[0], indexes, axis=node.attributes.get_int("axis", 0)))


def _slice(_: ir.Node, values: Values) -> NDArray[Any]:
    starts, ends = values[1].astype(np.int64), values[2].astype(np.int64)
    axes = values[3].astype(np.int64) if len(values) > 3 else np.arange(len(starts))
    steps = values[4].astype(np.int64) if len(values) > 4 else np.ones(len(starts), np.int64)
    cut: list[slice] = [slice(None)] * values[0].ndim
    for begin, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        cut[axis] = slice(int(begin), int(end), int(step))
    return values[0][tuple(cut)]


def _cast(node: ir.Node, values: Values) -> NDArray[Any]:
    if node.attributes.get_int("to", 0) not in (ir.DataType.INT64, ir.DataType.INT32):
        raise TypeError("not a shape any more")
    return values[0]


def _divide(_: ir.Node, values: Values) -> NDArray[Any]:
    left, right = np.broadcast_arrays(*values)
    made = np.empty(left.shape, object)
    for index in np.ndindex(left.shape):
        quotient = sympy.cancel(sympy.sympify(left[index]) / sympy.sympify(right[index]))
        whole = quotient.is_Integer or sympy.denom(quotient) == 1
        made[index] = quotient if whole else sympy.floor(quotient)
    return made


def _concat(node: ir.Node, values: Values) -> NDArray[Any]:
    return np.concatenate(values, axis=node.attributes.get_int("axis", 0))


def _unsqueeze(_: ir.Node, values: Values) -> NDArray[Any]:
    return np.expand_dims(values[0], tuple(int(axis) for axis in np.atleast_1d(values[1])))


def _squeeze(_: ir.Node, values: Values) -> NDArray[Any]:
    return np.squeeze(values[0])


def _same(_: ir.Node, values: Values) -> NDArray[Any]:
    return values[0]


def _reshape(_: ir.Node, values: Values) -> NDArray[Any]:
    return values[0].reshape([int(size) for size in values[1]])


def _elementwise(function: Callable[..., Any]) -> Callable[[ir.Node, Values], NDArray[Any]]:
    return lambda _, values: np.asarray(function(*values))


def _constant_of_shape(node: ir.Node, values: Values) -> NDArray[Any]:
    lengths = [int(size) for size in values[0]]
    if np.prod(lengths, initial=1) > LARGEST:
        raise ValueError("too large to follow")
    attribute = node.attributes.get("value")
    filled = np.zeros(1, np.float32) if attribute is None else attribute.as_tensor().numpy()
    return np.full(lengths, filled.ravel()[0])


def _where(_: ir.Node, values: Values) -> NDArray[Any]:
    if any(not isinstance(flag, (bool, np.bool_)) for flag in values[0].ravel().tolist()):
        raise TypeError("not decided")
    return np.where(values[0].astype(bool), values[1], values[2])


def _equal(_: ir.Node, values: Values) -> NDArray[Any]:
    """A length is positive: a symbol is neither −1 nor 0, and is not known to be 1."""
    left, right = np.broadcast_arrays(*values)
    made = np.empty(left.shape, bool)
    for index in np.ndindex(left.shape):
        difference = sympy.sympify(left[index]) - sympy.sympify(right[index])
        if difference.is_zero is None:
            raise TypeError("not decided")
        made[index] = bool(difference.is_zero)
    return made


_ARITHMETIC: dict[str, Callable[[ir.Node, Values], NDArray[Any]]] = {
    "Add": _elementwise(np.add),
    "Cast": _cast,
    "Concat": _concat,
    "ConstantOfShape": _constant_of_shape,
    "Div": _divide,
    "Equal": _equal,
    "Gather": _gather,
    "Identity": _same,
    "Mul": _elementwise(np.multiply),
    "Reshape": _reshape,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Sub": _elementwise(np.subtract),
    "Unsqueeze": _unsqueeze,
    "Where": _where,
}


def fallback(node: ir.Node, facts: Sequence[Fact | None], _: Context) -> Outcome:
    """An operator without a rule: harmless where it works on nothing but constants."""
    if any(fact is not None and fact.source > Source.STATIC for fact in facts):
        raise NeedsWhole("is not known to keep the steps apart")
    made = []
    for output in node.outputs:
        lengths = () if output.shape is None else tuple(output.shape)
        if output.shape is None or not all(isinstance(length, int) for length in lengths):
            raise NeedsWhole("makes something whose shape is not known")
        made.append(Fact(axes_of([int(str(length)) for length in lengths])))
    return Outcome(tuple(made))
