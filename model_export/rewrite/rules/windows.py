"""Convolutions and pools: over the time they look back, and the session carries what they see."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import onnx_ir as ir

from model_export.rewrite.axes import TIME, Axis, has_symbol, length_of
from model_export.rewrite.facts import Fact, NeedsWhole, Source
from model_export.rewrite.rules.layout import axis_of
from model_export.rewrite.rules.rule import (
    LARGEST_CARRIED,
    Context,
    Outcome,
    attribute_ints,
    carry,
    given,
)

if TYPE_CHECKING:
    from model_export.rewrite.writer import Writer


@dataclass(frozen=True, slots=True)
class Window:
    """What a convolution or a pool sees along one axis."""

    kernel: int
    stride: int
    dilation: int
    begin: int
    end: int

    @property
    def reach(self) -> int:
        """How far it looks back from the newest of its inputs."""
        return (self.kernel - 1) * self.dilation

    def length(self, axis: Axis) -> int:
        return (length_of(axis) + self.begin + self.end - self.reach - 1) // self.stride + 1


def convolution(node: ir.Node, facts: Sequence[Fact | None], context: Context) -> Outcome:
    weights = given(facts[1])
    if weights.source > Source.STATIC:
        raise NeedsWhole("has weights that are computed from an input")
    kernel = [length_of(axis) for axis in weights.axes[2:]]
    return _windowed(node, given(facts[0]), context, kernel, weights.axes[0])


def pool(node: ir.Node, facts: Sequence[Fact | None], context: Context) -> Outcome:
    fact = given(facts[0])
    kernel = attribute_ints(node, "kernel_shape", ())
    if node.attributes.get_int("ceil_mode", 0):
        raise NeedsWhole("rounds its length up (ceil_mode)")
    for index, window in enumerate(_windows(node, kernel)):
        if TIME in fact.axes[2 + index] and window.kernel > 1 and (window.begin or window.end):
            raise NeedsWhole("pools over the time with padding")
    return _windowed(node, fact, context, kernel, fact.axes[1])


def transposed(node: ir.Node, facts: Sequence[Fact | None], context: Context) -> Outcome:
    """ConvTranspose: whatever it does to other axes, it must leave the time alone."""
    fact, weights = given(facts[0]), given(facts[1])
    if weights.source > Source.STATIC or fact.late < 0:
        raise NeedsWhole("has weights that are computed, or works on padding")
    kernel = [length_of(axis) for axis in weights.axes[2:]]
    given_shape = attribute_ints(node, "output_shape", ())
    outputs = attribute_ints(node, "output_padding", [0] * len(kernel))
    if given_shape or node.attributes.get_string("auto_pad", "NOTSET") != "NOTSET":
        raise NeedsWhole("says its output's shape instead of its padding")
    group = node.attributes.get_int("group", 1)
    axes: list[Axis] = [fact.axes[0], axis_of(length_of(weights.axes[1]) * group)]
    for axis, window, more in zip(fact.axes[2:], _windows(node, kernel), outputs, strict=True):
        if has_symbol(axis):
            if (window.kernel, window.stride, window.begin, window.end, more) != (1, 1, 0, 0, 0):
                raise NeedsWhole("spreads each step over several ones")
            axes.append(axis)
        else:
            length = window.stride * (length_of(axis) - 1) + window.reach + 1
            axes.append(axis_of(length + more - window.begin - window.end))
    return Outcome((fact.with_axes(axes),))


def _windowed(
    node: ir.Node, fact: Fact, context: Context, kernel: list[int], channels: Axis
) -> Outcome:
    if has_symbol(fact.axes[1]):
        raise NeedsWhole("has its channels where the time or the batch is")
    windows = _windows(node, kernel)
    spatial = fact.axes[2:]
    over_time = next((at for at, axis in enumerate(spatial) if TIME in axis), None)
    axes = [fact.axes[0], channels]
    for at, (axis, window) in enumerate(zip(spatial, windows, strict=True)):
        axes.append(axis if at == over_time else axis_of(window.length(axis)))
    made = fact.with_axes(axes)
    if over_time is None or windows[over_time].kernel == windows[over_time].stride == 1:
        if over_time is not None and (windows[over_time].begin or windows[over_time].end):
            raise NeedsWhole("pads the time without looking back")
        return Outcome((made,))
    return _over_time(node, (fact, made), context, over_time, windows)


def _over_time(
    node: ir.Node, facts: tuple[Fact, Fact], context: Context, at: int, windows: Sequence[Window]
) -> Outcome:
    """`facts` are those before and after, the latter without what is late."""
    fact, made = facts
    window = windows[at]
    if window.stride != 1:
        raise NeedsWhole(f"moves {window.stride} steps at a time")
    late = fact.late - window.begin + window.reach
    if late < 0:
        raise NeedsWhole("begins with steps that are padding alone")
    if window.begin and fact.late < 0 and fact.padding != 0:
        raise NeedsWhole("pads the time again, with other numbers")
    if window.begin and fact.late > 0:
        raise NeedsWhole("pads the time after what comes late; pad before it")
    carried = carry(context, node, 0, fact, window.reach)
    pads = [*(one.begin for one in windows), *(one.end for one in windows)]
    pads[at] = pads[len(windows) + at] = 0

    def look_back(writer: "Writer", copy: ir.Node) -> None:
        writer.look_back(copy, 0, carried)
        if writer.kind == "window":
            return
        copy.attributes.pop("auto_pad", None)
        copy.attributes.add(ir.AttrInt64s("pads", pads))

    extra = fact.extra + window.begin + window.end - window.reach
    return Outcome((replace(made, late=late, extra=extra, padding=0.0),), look_back)


def _windows(node: ir.Node, kernel: Sequence[int]) -> list[Window]:
    rank = len(kernel)
    strides = attribute_ints(node, "strides", [1] * rank)
    dilations = attribute_ints(node, "dilations", [1] * rank)
    pads = attribute_ints(node, "pads", [0] * 2 * rank)
    mode = node.attributes.get_string("auto_pad", "NOTSET")
    if any(not 0 <= one <= LARGEST_CARRIED for one in (*strides, *dilations, *pads)):
        raise NeedsWhole("has strides, dilations or pads that are negative or very large")
    made = []
    for at in range(rank):
        begin, end = pads[at], pads[rank + at]
        if mode.startswith("SAME"):
            if strides[at] != 1:
                raise NeedsWhole("pads by its strides (auto_pad)")
            total = (kernel[at] - 1) * dilations[at]
            begin = total // 2 if mode == "SAME_UPPER" else total - total // 2
            end = total - begin
        made.append(Window(kernel[at], strides[at], dilations[at], begin, end))
    return made
