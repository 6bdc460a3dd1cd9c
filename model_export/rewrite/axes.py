"""What the axes of a tensor are made of, by name rather than by size.

A file says `[1, 60, 33]`, or `[batch, time, 33]`, or after a Reshape `[60, 33]`. What matters for
sessions is which axis, or which part of one, is the batch and which the time. So an axis is a
product of factors in C order: `("batch",)`, `("time",)`, `(33,)`, or `("batch", 33)` where a
Reshape has folded 33 lanes into the batch. An axis of length one is `()`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Literal, TypeAlias

import sympy

Symbol = Literal["batch", "time"]
Factor = int | Symbol
Axis = tuple[Factor, ...]
Axes = tuple[Axis, ...]

BATCH: Symbol = "batch"
TIME: Symbol = "time"
B, T = sympy.symbols("batch time", integer=True, positive=True)
"""The lengths of both, in the arithmetic on shapes."""
Size: TypeAlias = Any
"""An int, or an expression in `B` and `T`; the library has no types."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """The lengths that the file fixes; None where it leaves one open."""

    batch: int | None = None
    time: int | None = None

    def number(self, size: Size) -> int | None:
        """A length as a number, where the file fixes it."""
        known = {
            symbol: length
            for symbol, length in ((B, self.batch), (T, self.time))
            if length is not None
        }
        found = sympy.sympify(size).subs(known)
        return int(found) if found.is_Integer else None


def merged(factors: Iterable[Factor]) -> Axis:
    """The same axis with neighbouring numbers multiplied and ones left out."""
    axis: list[Factor] = []
    for factor in factors:
        if isinstance(factor, int) and axis and isinstance(last := axis[-1], int):
            axis[-1] = last * factor
        elif factor != 1:
            axis.append(factor)
    return tuple(axis)


def axes_of(shape: Iterable[int]) -> Axes:
    """The axes of a tensor whose shape has numbers only."""
    return tuple(merged((size,)) for size in shape)


def width_of(axis: Axis) -> int:
    """The product of an axis' numbers, its symbols aside."""
    return prod(factor for factor in axis if isinstance(factor, int))


def index_of(axes: Sequence[Axis], symbol: Symbol) -> int | None:
    """The axis that a symbol is in."""
    return next((index for index, axis in enumerate(axes) if symbol in axis), None)


def has_symbol(axis: Axis) -> bool:
    return BATCH in axis or TIME in axis


def size_of(axis: Axis, extra: int = 0) -> Size:
    """The length of an axis; a sequence has `time` + `extra` steps there."""
    symbols = {BATCH: B, TIME: T + extra}
    return prod(factor if isinstance(factor, int) else symbols[factor] for factor in axis)


def length_of(axis: Axis) -> int:
    """The length of an axis that is neither batch nor time. Raises ValueError for another."""
    if has_symbol(axis):
        raise ValueError(f"{' × '.join(map(str, axis))} has no fixed length")
    return width_of(axis)


def regroup(axes: Axes, targets: Sequence[Size], fixed: Fixed, extra: int = 0) -> Axes | None:
    """The axes after a Reshape to `targets`, none of which is 0 or −1.

    Factors keep their order. A target may be a product of symbols, or the number that the file
    fixes for it. None where the targets cut through a symbol.
    """
    # An axis of length one counts as a factor here: among several it says which one is the batch.
    waiting: list[Factor] = [factor for axis in axes for factor in axis or (1,)]
    made: list[Axis] = []
    for target in targets:
        axis = _take(waiting, target, fixed, extra)
        if axis is None:
            return None
        made.append(axis)
    # What is left has the length one: a batch that the file fixes at one, squeezed away.
    if any(fixed.number(size_of((factor,), extra)) != 1 for factor in waiting):
        return None
    if waiting and not made:
        return None
    if waiting:
        made[-1] = (*made[-1], *waiting)
    return tuple(merged(axis) for axis in made)


def _take(waiting: list[Factor], target: Size, fixed: Fixed, extra: int) -> Axis | None:
    """Remove factors from the front until their product is `target`."""
    taken: list[Factor] = []
    left = sympy.sympify(target)
    if left == 1:
        # An axis of length one takes one of length one, if that is what comes next.
        if waiting and fixed.number(size_of((waiting[0],), extra)) == 1:
            taken.append(waiting.pop(0))
        return tuple(taken)
    while left != 1:
        if not waiting:
            return None
        factor = waiting[0]
        rest = _divided(left, factor, fixed, extra)
        if rest is not None:
            taken.append(waiting.pop(0))
            left = rest
        elif isinstance(factor, int) and left.is_Integer and factor % int(left) == 0:
            taken.append(int(left))
            waiting[0] = factor // int(left)
            left = sympy.Integer(1)
        else:
            return None
    return tuple(taken)


def _divided(left: sympy.Expr, factor: Factor, fixed: Fixed, extra: int) -> sympy.Expr | None:
    """`left` through the factor, if that is a whole number of whatever it consists of."""
    size = sympy.sympify(size_of((factor,), extra))
    rest = sympy.cancel(left / size)
    if sympy.denom(rest) == 1:
        return rest
    number = fixed.number(size)
    if number and left.is_Integer and int(left) % number == 0:
        return sympy.Integer(int(left) // number)
    return None
