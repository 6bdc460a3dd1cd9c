"""Running a graph in float64: what it says, without what float32 loses."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from model_export.errors import ModelRefused
from model_export.float64.operators.gru import GRU
from model_export.float64.operators.matmul_nbits import MatMulNBits
from model_export.float64.operators.mended import MENDED

Arrays = Mapping[str, NDArray[Any]]
_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)


class Float64Graph:
    """A serialised graph whose float32 numbers are all made float64.

    `inside` has it give the values inside as well, by their names. Raises ModelRefused for an
    operator that has no implementation in NumPy.
    """

    def __init__(self, graph: bytes, *, inside: bool = False) -> None:
        model = _in_float64(onnx.load_from_string(graph))
        if inside:
            show_inside(model)
        self.names = [output.name for output in model.graph.output]
        try:
            self._evaluator = ReferenceEvaluator(model, new_ops=[GRU, MatMulNBits, *MENDED])
        except Exception as error:  # whatever it says, it does not know the operator
            raise ModelRefused(f"cannot be computed in float64: {error}") from None
        for operator in self._evaluator.rt_nodes_:
            operator.run = _named(operator)

    def run(self, feed: Arrays) -> dict[str, NDArray[Any]]:
        """Every output by name; floats are taken in any precision.

        Raises ModelRefused naming the node that cannot be run.
        """
        # Overflows on the way to an infinite or a zero result are the graph's own business.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            found = self._evaluator.run(None, {name: _wide(one) for name, one in feed.items()})
        return {name: np.asarray(one) for name, one in zip(self.names, found, strict=True)}


def _named(operator: OpRun) -> Callable[..., object]:
    """How to run an operator, with its node's name in whatever goes wrong."""
    run: Callable[..., object] = operator.run
    node = operator.onnx_node

    def named(*inputs: object, **options: object) -> object:
        try:
            return run(*inputs, **options)
        except Exception as error:  # the package's own operators raise anything
            name = node.name or node.output[0]
            raise ModelRefused(
                f"{node.op_type} node {name!r} cannot be computed in float64: {error}"
            ) from None

    return named


def show_inside(model: onnx.ModelProto) -> None:
    """Make every value of the model an output."""
    shown = {output.name for output in model.graph.output}
    for node in model.graph.node:
        for name in node.output:
            if name and name not in shown:
                model.graph.output.add(name=name)


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
