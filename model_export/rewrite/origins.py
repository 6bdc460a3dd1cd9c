"""Where a value comes from and where it goes to, through operators that only move numbers."""

import onnx_ir as ir

MOVING = frozenset(
    (
        *("Cast", "Concat", "Expand", "Flatten", "Gather", "Identity"),
        *("Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"),
    )
)


def origin_of(value: ir.Value | None, *, padded: bool = False) -> str | None:
    """The one graph input that a value is a piece of; None where there is none, or more.

    With `padded`, what a constant was put around counts as well.
    """
    through = MOVING - {"Concat"} | ({"Pad"} if padded else set())
    while value is not None and not value.is_graph_input():
        node = value.producer()
        if node is None or node.op_type not in through:
            return None
        value = node.inputs[0]
    return None if value is None else value.name


def inputs_of(value: ir.Value) -> frozenset[str]:
    """The names of all graph inputs that a value is computed from, other than their lengths."""
    found: set[str] = set()
    seen: set[ir.Value] = set()
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        if one.is_graph_input():
            found.add(str(one.name))
        node = one.producer()
        if node is not None and node.op_type not in ("Shape", "Size"):
            waiting += [given for given in node.inputs if given is not None]
    return frozenset(found)
