"""Running a graph in float64: what it says, without what float32 loses."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from model_export.errors import ExportError
from model_export.verify.gru_operator import GRU

Arrays = Mapping[str, NDArray[Any]]
_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)


class Float64Graph:
    """A serialised graph whose float32 numbers are all made float64."""

    def __init__(self, graph: bytes) -> None:
        model = _in_float64(onnx.load_from_string(graph))
        self.names = [output.name for output in model.graph.output]
        self._evaluator = ReferenceEvaluator(model, new_ops=[GRU])

    def run(self, feed: Arrays) -> dict[str, NDArray[Any]]:
        """Every output by name; floats are taken in any precision.

        Raises ExportError naming the node that the reference implementation cannot run.
        """
        # Overflows on the way to an infinite or a zero result are the graph's own business.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            try:
                found = self._evaluator.run(None, {name: _wide(one) for name, one in feed.items()})
            except Exception as error:  # the package implements not all of every operator
                raise ExportError(
                    f"{_failed(error)} cannot be run in float64, which golden vectors need: {error}"
                ) from error
        return {name: np.asarray(one) for name, one in zip(self.names, found, strict=True)}


def _failed(error: Exception) -> str:
    """The node of the graph that was being run."""
    frame = error.__traceback__
    while frame is not None:
        running = frame.tb_frame.f_locals.get("self")
        if isinstance(running, OpRun):
            return f"{running.onnx_node.op_type} node {running.onnx_node.name!r}"
        frame = frame.tb_next
    return "the graph"


def _wide(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def _in_float64(model: onnx.ModelProto) -> onnx.ModelProto:
    _widen_graph(model.graph)
    return model


def _widen_graph(graph: onnx.GraphProto) -> None:
    """The graph, and those inside its nodes."""
    del graph.value_info[:]
    for tensor in graph.initializer:
        _widen(tensor)
    for value in (*graph.input, *graph.output):
        if value.type.tensor_type.elem_type in _FLOATS:
            value.type.tensor_type.elem_type = TensorProto.DOUBLE
    for node in graph.node:
        _name_outputs(node)
        for attribute in node.attribute:
            _widen_attribute(node, attribute)


def _widen_attribute(node: onnx.NodeProto, attribute: onnx.AttributeProto) -> None:
    if attribute.type == onnx.AttributeProto.TENSOR:
        _widen(attribute.t)
    if attribute.type == onnx.AttributeProto.GRAPH:
        _widen_graph(attribute.g)
    if node.op_type == "Cast" and attribute.name == "to" and attribute.i in _FLOATS:
        attribute.i = TensorProto.DOUBLE


def _name_outputs(node: onnx.NodeProto) -> None:
    """An output without a name would be taken for every input that is left out."""
    for index, name in enumerate(node.output):
        node.output[index] = name or f"{node.name}/left out {index}"


def _widen(tensor: TensorProto) -> None:
    if tensor.data_type in _FLOATS:
        array = numpy_helper.to_array(tensor).astype(np.float64)
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
