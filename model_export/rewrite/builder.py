"""Adding nodes to a graph, with less ceremony."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

Attribute = int | float | str | Sequence[int] | None


class Builder:
    """Makes nodes and constants; `insert_before`, `insert_after` or `append` puts them in place."""

    def __init__(self, graph: ir.Graph, prefix: str) -> None:
        self.graph = graph
        self._prefix = prefix
        self._made = 0
        self.nodes: list[ir.Node] = []

    def op(self, op_type: str, *inputs: ir.Value | None, **attributes: Attribute) -> ir.Value:
        """A node with one output."""
        return self._node(op_type, inputs, attributes, outputs=1)[0]

    def split(self, value: ir.Value, sizes: Sequence[int], axis: int = -1) -> tuple[ir.Value, ...]:
        """Cut an axis, the last one by default, into pieces of the given sizes."""
        if len(sizes) == 1:
            return (value,)
        pieces = (value, self.constant(np.array(sizes, np.int64)))
        return self._node("Split", pieces, {"axis": axis}, outputs=len(sizes))

    def concat(self, values: Sequence[ir.Value], axis: int = -1) -> ir.Value:
        """Join along an axis, the last one by default."""
        return values[0] if len(values) == 1 else self.op("Concat", *values, axis=axis)

    def unsqueeze(self, value: ir.Value, *axes: int) -> ir.Value:
        return self.op("Unsqueeze", value, self.constant(np.array(axes, np.int64)))

    def squeeze(self, value: ir.Value, *axes: int) -> ir.Value:
        return self.op("Squeeze", value, self.constant(np.array(axes, np.int64)))

    def slice(self, value: ir.Value, axis: int, begin: int, end: int | None = None) -> ir.Value:
        """From `begin` to before `end` along an axis; to its end without one."""
        last = np.iinfo(np.int64).max if end is None else end
        numbers = (np.array([number], np.int64) for number in (begin, last, axis))
        return self.op("Slice", value, *map(self.constant, numbers))

    def constant(self, array: NDArray[Any]) -> ir.Value:
        """An initializer of the graph."""
        name = self._name("constant")
        value = ir.val(name, const_value=ir.tensor(np.array(array, order="C"), name=name))
        self.graph.register_initializer(value)
        return value

    def append(self) -> None:
        """Put the made nodes behind all others."""
        self.graph.extend(self._taken())

    def insert_before(self, node: ir.Node) -> None:
        """Put the made nodes just before `node`."""
        self.graph.insert_before(node, self._taken())

    def insert_after(self, node: ir.Node) -> None:
        """Put the made nodes just behind `node`."""
        self.graph.insert_after(node, self._taken())

    def _taken(self) -> list[ir.Node]:
        taken, self.nodes = self.nodes, []
        return taken

    def _node(
        self,
        op_type: str,
        inputs: Sequence[ir.Value | None],
        attributes: Mapping[str, Attribute],
        *,
        outputs: int,
    ) -> tuple[ir.Value, ...]:
        name = self._name(op_type)
        node = ir.node(op_type, inputs, attributes, num_outputs=outputs, name=name)
        for index, output in enumerate(node.outputs):
            output.name = f"{name}_{index}"
        self.nodes.append(node)
        return tuple(node.outputs)

    def _name(self, what: str) -> str:
        self._made += 1
        return f"{self._prefix}/{what}_{self._made}"
