"""Moving the factors of axes about in a graph that is being written."""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from model_export.rewrite.axes import BATCH, TIME, Axes, Axis, Factor, width_of
from model_export.rewrite.builder import Builder

Groups = Sequence[Sequence[int]]
"""Axes, each as the numbers of its factors."""


class Rearranging:
    """Knows the lengths of both symbols in a graph.

    `time` is how many steps it has: one in the step graph, those of a window, None where any.
    """

    def __init__(self, time: int | None) -> None:
        self._time = time
        self.model_input: ir.Value | None = None
        """[B, …] or [B, T, …]: lengths are read from it."""

    def sized(self, axes: Axes) -> Axes:
        """The axes with the time as a number, where it is one."""
        if self._time is None:
            return axes
        return tuple(
            tuple(self._time if factor == TIME else factor for factor in axis) for axis in axes
        )

    def shape_of(self, builder: Builder, axes: Axes) -> ir.Value:
        """The lengths of some axes as a tensor, for a Reshape."""
        axes = self.sized(axes)
        open_axes = [axis for axis in axes if any(map(self._is_open, axis))]
        if len(open_axes) <= 1:
            numbers = [-1 if any(map(self._is_open, axis)) else width_of(axis) for axis in axes]
            return builder.constant(np.array(numbers, np.int64))
        return self.lengths_of(builder, axes)

    def lengths_of(self, builder: Builder, axes: Axes) -> ir.Value:
        """The same without −1, for an Expand."""
        return builder.concat([self._length(builder, axis) for axis in self.sized(axes)], axis=0)

    def rearranged(
        self,
        builder: Builder,
        value: ir.Value,
        factors: Sequence[Factor],
        have: Groups,
        want: Groups,
    ) -> ir.Value:
        """The value with its factors grouped as in `want`; `have` is how they are grouped in it.

        No more nodes than are needed: each costs a step as much as a small product.
        """
        if [list(group) for group in have] == [list(group) for group in want]:
            return value
        before, after = self._without_ones(have, factors), self._without_ones(want, factors)
        if before != after:
            dropped = [at for at, group in enumerate(before) if not group]
            if dropped:
                value = builder.squeeze(value, *dropped)
            value = self._regrouped(
                builder,
                value,
                factors,
                [one for one in before if one],
                [one for one in after if one],
            )
            added = [at for at, group in enumerate(after) if not group]
            if added:
                value = builder.unsqueeze(value, *added)
        return value

    def _regrouped(
        self,
        builder: Builder,
        value: ir.Value,
        factors: Sequence[Factor],
        have: Groups,
        want: Groups,
    ) -> ir.Value:
        if have == want:
            return value
        before = [factor for group in have for factor in group]
        after = [factor for group in want for factor in group]
        if before == after:
            return builder.op("Reshape", value, self.shape_of(builder, _axes(want, factors)))
        if any(len(group) != 1 for group in have):
            apart = [[factor] for factor in before]
            value = builder.op("Reshape", value, self.shape_of(builder, _axes(apart, factors)))
        order = [before.index(factor) for factor in after]
        value = builder.op("Transpose", value, perm=order)
        if any(len(group) != 1 for group in want):
            value = builder.op("Reshape", value, self.shape_of(builder, _axes(want, factors)))
        return value

    def _without_ones(self, groups: Groups, factors: Sequence[Factor]) -> list[list[int]]:
        return [[at for at in group if factors[at] != 1] for group in groups]

    def _is_open(self, factor: Factor) -> bool:
        return isinstance(factor, str)

    def _length(self, builder: Builder, axis: Axis) -> ir.Value:
        made = builder.constant(np.array([width_of(axis)], np.int64))
        for symbol in filter(self._is_open, axis):
            start = 0 if symbol == BATCH else 1
            length = builder.op("Shape", self.model_input, start=start, end=start + 1)
            made = builder.op("Mul", made, length)
        return made


def numbered(axes: Axes) -> tuple[list[Factor], list[list[int]]]:
    """All factors of some axes in order, and the axes by their numbers."""
    factors: list[Factor] = []
    groups = []
    for axis in axes:
        groups.append(list(range(len(factors), len(factors) + len(axis))))
        factors += axis
    return factors, groups


def rows_first(axes: Axes) -> tuple[list[Factor], list[list[int]], list[list[int]]]:
    """Factors, groups, and the groups of the same as [batch, all others] or, where there is a
    time, [batch, time, all others]."""
    factors, groups = numbered(axes)
    others = [at for at, factor in enumerate(factors) if factor not in (BATCH, TIME)]
    symbols = [[at for at, factor in enumerate(factors) if factor == one] for one in (BATCH, TIME)]
    return factors, groups, [*(one for one in symbols if one), others]


def _axes(groups: Groups, factors: Sequence[Factor]) -> tuple[Axis, ...]:
    return tuple(tuple(factors[at] for at in group) for group in groups)
