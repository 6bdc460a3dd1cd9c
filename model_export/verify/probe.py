"""Looking at what reaches each GRU node of a sequence graph."""

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from model_export.rewrite.gru_node import GruNode, read_gru_nodes
from service.engine.provider import Provider


class Probe:
    """A sequence graph that also gives out the input X [T, B, I] of each of its GRU nodes."""

    def __init__(self, graph: bytes, provider: Provider) -> None:
        model = ir.from_proto(onnx.load_from_string(graph))
        self.gru_nodes: list[GruNode] = read_gru_nodes(model.graph)
        exposed = [gru.input for gru in self.gru_nodes]
        for value in exposed:
            value.type = ir.TensorType(ir.DataType.FLOAT)
        known = list(model.graph.outputs)
        model.graph.outputs.extend(value for value in exposed if value not in known)
        self._names = [value.name for value in exposed]
        self._session = provider.open(ir.to_proto(model).SerializeToString())

    def inputs_of(
        self, inputs: NDArray[np.float32] | NDArray[np.int64], state: NDArray[np.float32]
    ) -> list[NDArray[np.float32]]:
        """X of every GRU node for inputs [B, T, F] or [B, T] and state [B, S]."""
        feed = {"input": inputs, "state": state}
        return [np.asarray(x) for x in self._session.run(self._names, feed)]
