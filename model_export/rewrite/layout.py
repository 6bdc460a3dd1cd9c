"""Removing layout operators that undo each other.

In a step graph the time axis has length one, so a chain such as Unsqueeze, Transpose, Squeeze
often ends where it began. Each node costs a run of one session about as much as a small product.
"""

import numpy as np
import onnx_ir as ir

Axes = tuple[int | None, ...]
"""For each axis of a value the axis of its source, or None for an axis of length one."""


def cancel_layout(graph: ir.Graph) -> None:
    """Replace every value that is its own source again, after Unsqueeze, Squeeze and Transpose."""
    for node in list(graph):
        traced = _trace(node.outputs[0])
        if traced is None:
            continue
        source, axes = traced
        if source is not node.outputs[0] and axes == tuple(range(len(axes))):
            is_output = node.outputs[0] in graph.outputs
            if not is_output:
                node.outputs[0].replace_all_uses_with(source)


def _trace(value: ir.Value) -> tuple[ir.Value, Axes] | None:
    """The value before all layout operators, and how its axes are found in this one."""
    node = value.producer()
    if node is None or node.op_type not in ("Unsqueeze", "Squeeze", "Transpose"):
        return None if value.shape is None else (value, tuple(range(len(value.shape))))
    before = _trace(node.inputs[0]) if node.inputs[0] is not None else None
    if before is None:
        return None
    source, axes = before
    moved = _moved(node, axes)
    return None if moved is None else (source, moved)


def _moved(node: ir.Node, axes: Axes) -> Axes | None:
    if node.op_type == "Transpose":
        order = node.attributes.get_ints("perm", tuple(reversed(range(len(axes)))))
        return tuple(axes[index] for index in order)
    given = node.inputs[1] if len(node.inputs) > 1 else None
    named = None if given is None else ir.convenience.get_const_tensor(given)
    if named is None:
        return None
    chosen = [int(axis) for axis in np.atleast_1d(named.numpy())]
    if node.op_type == "Squeeze":
        dropped = {axis % len(axes) for axis in chosen}
        if any(axes[axis] is not None for axis in dropped):
            return None
        return tuple(axis for index, axis in enumerate(axes) if index not in dropped)
    rank = len(axes) + len(chosen)
    added = {axis % rank for axis in chosen}
    kept = iter(axes)
    return tuple(None if index in added else next(kept) for index in range(rank))
