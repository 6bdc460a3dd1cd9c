"""Taking the time axis of length one out of a step graph.

An exported model carries [B, 1, F] through Unsqueeze, Transpose and Squeeze, around every operator
outside the GRU nodes. Each such node costs a run of one session about as much as a small product.
Here every operator that works value by value, or along the last axis, is moved to the value
without the axes of length one, and what only changed the layout is left without a use.
"""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

Axes = tuple[int | None, ...]
"""For each axis of a value the axis of its flat value, or None for an axis of length one."""

FLAT = "/flat"
"""Behind the names of nodes and values that are computed without axes of length one."""

_LAYOUT = {"Unsqueeze", "Squeeze", "Transpose"}
_UNARY = {"Cast", "Identity", "Relu", "Sigmoid", "Tanh", "Exp", "Log", "Sqrt", "Neg", "Abs", "Erf"}
_BINARY = {"Add", "Sub", "Mul", "Div"}
_LAST_AXIS = {"Softmax", "LogSoftmax"}


@dataclass(frozen=True, slots=True)
class Layout:
    """A value as `flat`, which has no more axes than are named in `axes`."""

    flat: ir.Value
    axes: Axes

    @property
    def rank(self) -> int:
        return sum(axis is not None for axis in self.axes)

    @property
    def is_flat(self) -> bool:
        return self.axes == tuple(range(len(self.axes)))

    @property
    def keeps_last(self) -> bool:
        """Whether the last axis is the flat value's last axis too."""
        return bool(self.axes) and self.axes[-1] == self.rank - 1


def cancel_layout(graph: ir.Graph) -> None:
    """Compute on flat values what can be; unused nodes are left to the caller to remove."""
    layouts: dict[ir.Value, Layout] = {}
    for node in list(graph):
        found = _moved(node, layouts) if node.op_type in _LAYOUT else _lifted(graph, node, layouts)
        if found is not None:
            layouts[node.outputs[0]] = found
    for value, layout in layouts.items():
        if layout.is_flat and layout.flat is not value:
            _replace(value, layout.flat)


def _layout_of(value: ir.Value | None, layouts: dict[ir.Value, Layout]) -> Layout | None:
    if value is None or value.is_initializer():
        return None
    if value in layouts:
        return layouts[value]
    return None if value.shape is None else Layout(value, tuple(range(len(value.shape))))


def _replace(value: ir.Value, flat: ir.Value) -> None:
    if value.is_graph_output():
        if flat.is_graph_output() or flat.is_graph_input():
            return
        name, value.name = value.name, f"{value.name}/before"
        flat.name, flat.type, flat.shape = name, value.type, value.shape
    value.replace_all_uses_with(flat, replace_graph_outputs=True)


def _lifted(graph: ir.Graph, node: ir.Node, layouts: dict[ir.Value, Layout]) -> Layout | None:
    """The node's output, computed by a new node from flat inputs; None where it cannot be."""
    if len(node.outputs) != 1 or node.domain not in ("", "ai.onnx"):
        return None
    known = [_layout_of(value, layouts) for value in node.inputs]
    axes = _axes_after(node, known)
    changes = any(one is not None and one.flat is not value for one, value in _pairs(known, node))
    if axes is None or not changes:
        return None
    inputs = [value if one is None else one.flat for one, value in _pairs(known, node)]
    attributes = dict(node.attributes)
    if node.op_type in _LAST_AXIS:
        attributes["axis"] = ir.AttrInt64("axis", -1)
    flat = ir.node(node.op_type, inputs, name=f"{node.name}{FLAT}")
    for attribute in attributes.values():
        flat.attributes.add(attribute)
    flat.outputs[0].name = f"{node.outputs[0].name}{FLAT}"
    graph.insert_after(node, flat)
    return Layout(flat.outputs[0], axes)


def _pairs(
    known: list[Layout | None], node: ir.Node
) -> list[tuple[Layout | None, ir.Value | None]]:
    return list(zip(known, node.inputs, strict=True))


def _axes_after(node: ir.Node, known: list[Layout | None]) -> Axes | None:
    """The axes of the output if the node runs on flat inputs; None where that is not the same."""
    same: Layout | None = None
    match node.op_type, known:
        case operator, [Layout() as one] if operator in _UNARY or _is_along_last(node, one):
            same = one
        case operator, [Layout() as one, Layout() as other] if operator in _BINARY:
            same = one if one.axes == other.axes else None
        case operator, [Layout() as one, None] if operator in _BINARY:
            same = one if _fits_last_axis(node.inputs[1], one) else None
        case operator, [None, Layout() as one] if operator in _BINARY:
            same = one if _fits_last_axis(node.inputs[0], one) else None
        case "MatMul", [Layout() as one, None] if one.keeps_last and one.rank > 1:
            same = one if _rank_of_constant(node.inputs[1]) == 2 else None
        case "Gather", [None, Layout() as one] if node.attributes.get_int("axis", 0) == 0:
            features = _rank_of_constant(node.inputs[0]) - 1
            return (*one.axes, *range(one.rank, one.rank + features)) if features > 0 else None
    return same.axes if same else None


def _is_along_last(node: ir.Node, one: Layout) -> bool:
    axis = node.attributes.get_int("axis", -1)
    return node.op_type in _LAST_AXIS and one.keeps_last and axis in (-1, len(one.axes) - 1)


def _fits_last_axis(constant: ir.Value | None, one: Layout) -> bool:
    """One number, or a vector along the last axis."""
    tensor = None if constant is None else ir.convenience.get_const_tensor(constant)
    if tensor is None or len(tensor.shape) > 1:
        return False
    return tensor.size == 1 or one.keeps_last


def _rank_of_constant(value: ir.Value | None) -> int:
    """0 for whatever is not a constant."""
    tensor = None if value is None else ir.convenience.get_const_tensor(value)
    return 0 if tensor is None else len(tensor.shape)


def _moved(node: ir.Node, layouts: dict[ir.Value, Layout]) -> Layout | None:
    """The same flat value with its axes elsewhere."""
    before = _layout_of(node.inputs[0], layouts)
    if before is None:
        return None
    axes = before.axes
    if node.op_type == "Transpose":
        order = node.attributes.get_ints("perm", tuple(reversed(range(len(axes)))))
        return Layout(before.flat, tuple(axes[index] for index in order))
    given = node.inputs[1] if len(node.inputs) > 1 else None
    named = None if given is None else ir.convenience.get_const_tensor(given)
    if named is None:
        return None
    chosen = [int(axis) for axis in np.atleast_1d(named.numpy())]
    if node.op_type == "Squeeze":
        dropped = {axis % len(axes) for axis in chosen}
        if any(axes[axis] is not None for axis in dropped):
            return None
        return Layout(before.flat, tuple(a for i, a in enumerate(axes) if i not in dropped))
    rank = len(axes) + len(chosen)
    added = {axis % rank for axis in chosen}
    kept = iter(axes)
    return Layout(before.flat, tuple(None if i in added else next(kept) for i in range(rank)))
