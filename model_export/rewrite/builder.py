"""Adding nodes to a graph, with less ceremony."""

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray


class Builder:
    """Makes nodes and constants; `insert_before` or `append` puts them into the graph."""

    def __init__(self, graph: ir.Graph, prefix: str) -> None:
        self._graph = graph
        self._prefix = prefix
        self._made = 0
        self.nodes: list[ir.Node] = []

    def op(self, op_type: str, *inputs: ir.Value, **attributes: int | list[int]) -> ir.Value:
        """A node with one output."""
        return self._node(op_type, inputs, attributes, outputs=1)[0]

    def split(self, value: ir.Value, sizes: list[int]) -> tuple[ir.Value, ...]:
        """Cut the last axis into pieces of the given sizes."""
        if len(sizes) == 1:
            return (value,)
        pieces = (value, self.constant(np.array(sizes, np.int64)))
        return self._node("Split", pieces, {"axis": -1}, outputs=len(sizes))

    def concat(self, values: list[ir.Value]) -> ir.Value:
        """Join along the last axis."""
        return values[0] if len(values) == 1 else self.op("Concat", *values, axis=-1)

    def unsqueeze(self, value: ir.Value, *axes: int) -> ir.Value:
        return self.op("Unsqueeze", value, self.constant(np.array(axes, np.int64)))

    def squeeze(self, value: ir.Value, *axes: int) -> ir.Value:
        return self.op("Squeeze", value, self.constant(np.array(axes, np.int64)))

    def constant(self, array: NDArray[np.float32] | NDArray[np.int64]) -> ir.Value:
        """An initializer of the graph."""
        name = self._name("constant")
        value = ir.val(name, const_value=ir.tensor(np.ascontiguousarray(array), name=name))
        self._graph.register_initializer(value)
        return value

    def append(self) -> None:
        """Put the made nodes behind all others."""
        self._graph.extend(self.nodes)

    def insert_before(self, node: ir.Node) -> None:
        """Put the made nodes just before `node`."""
        self._graph.insert_before(node, self.nodes)

    def _node(
        self,
        op_type: str,
        inputs: tuple[ir.Value, ...],
        attributes: dict[str, int | list[int]],
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
