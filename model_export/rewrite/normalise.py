"""From a model as a file has it to one in the form that the rules are written for."""

from collections.abc import Mapping

import numpy as np
import onnx
import onnx.inliner
import onnx_ir as ir
import onnx_ir.passes.common as passes
from onnx import version_converter
from onnxscript.optimizer import fold_constants

from model_export.errors import ExportError
from model_export.rewrite.cleaning import clean

OPSET = 20
"""Older models are converted to this one."""
NEWEST_OPSET = 23
"""Newer ones are converted back to this one, the newest that all of the service's parts know."""
_OTHER_FLOATS = (ir.DataType.FLOAT16, ir.DataType.DOUBLE, ir.DataType.BFLOAT16)
_LARGEST_FOLDED = 2**26
"""Numbers of a constant that is computed once and for all."""


def normalise(proto: onnx.ModelProto) -> ir.Model:
    """Functions inlined, constants computed, every node named, shapes inferred, float32.

    Raises ExportError for what is no valid ONNX model.
    """
    _check(proto)
    proto = _converted(onnx.inliner.inline_local_functions(proto))
    try:
        model = ir.from_proto(proto)
    except Exception as error:  # whatever it says, the file is at fault
        raise ExportError(f"not a valid ONNX model: {_line(error)}") from None
    passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    passes.RemoveInitializersFromInputsPass()(model)
    _to_float32(model)
    _time_first(model.graph)
    _simplify(model)
    return model


def decide(model: ir.Model, decided: Mapping[str, bool]) -> None:
    """Put the branch of an If node in its place, where it is known which one is taken."""
    for node in model.graph:
        if str(node.name) in decided:
            name = f"{node.name}/decided"
            known = ir.tensor(np.array(decided[str(node.name)]), name=name)
            condition = ir.val(name, const_value=known)
            model.graph.register_initializer(condition)
            node.replace_input_with(0, condition)
    _simplify(model)


def _simplify(model: ir.Model) -> None:
    fold_constants(model, input_size_limit=_LARGEST_FOLDED, output_size_limit=_LARGEST_FOLDED)
    passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    clean(model)
    _name_all(model.graph)
    passes.ShapeInferencePass()(model)


def _check(proto: onnx.ModelProto) -> None:
    domains = {opset.domain: opset.version for opset in proto.opset_import}
    if not ({"", "ai.onnx"} & domains.keys()):
        raise ExportError("the model says no opset of ONNX: it is not a model, or not all of one")
    try:
        onnx.checker.check_model(proto)
    except Exception as error:
        raise ExportError(f"not a valid ONNX model: {_line(error)}") from None


def _converted(proto: onnx.ModelProto) -> onnx.ModelProto:
    found = next(one.version for one in proto.opset_import if one.domain in ("", "ai.onnx"))
    if OPSET <= found <= NEWEST_OPSET:
        return proto
    target = OPSET if found < OPSET else NEWEST_OPSET
    try:
        return version_converter.convert_version(proto, target)
    except Exception as error:
        raise ExportError(
            f"opset {found} cannot be converted to {target}: {_line(error)}; "
            f"export the model again with opset {OPSET}"
        ) from None


def _to_float32(model: ir.Model) -> None:
    """Serving is in float32: weights and casts in float16 or float64 become it."""
    for value in model.graph.initializers.values():
        tensor = value.const_value
        if tensor is not None and tensor.dtype in _OTHER_FLOATS:
            value.const_value = _float32(tensor)
            value.dtype = ir.DataType.FLOAT
    for value in (*model.graph.inputs, *model.graph.outputs):
        if value.dtype in _OTHER_FLOATS:
            value.dtype = ir.DataType.FLOAT
    for node in model.graph.all_nodes():
        _to_float32_in(node)


def _to_float32_in(node: ir.Node) -> None:
    if node.op_type == "Cast" and ir.DataType(node.attributes.get_int("to", 0)) in _OTHER_FLOATS:
        node.attributes.add(ir.AttrInt64("to", ir.DataType.FLOAT))
    for name, attribute in list(node.attributes.items()):
        if attribute.type == ir.AttributeType.TENSOR:
            tensor = attribute.as_tensor()
            if tensor.dtype in _OTHER_FLOATS:
                node.attributes.add(ir.AttrTensor(name, _float32(tensor)))
    for output in node.outputs:
        if output.dtype in _OTHER_FLOATS:
            output.dtype = ir.DataType.FLOAT


def _float32(tensor: ir.TensorProtocol) -> ir.TensorProtocol:
    return ir.tensor(tensor.numpy().astype(np.float32), name=tensor.name)


def _time_first(graph: ir.Graph) -> None:
    """GRU nodes with layout=1 take [batch, steps, I]; ONNX Runtime does not run them."""
    for node in list(graph):
        is_recurrent = node.op_type in ("GRU", "LSTM", "RNN")
        if is_recurrent and node.attributes.get_int("layout", 0) != 0:
            _transpose_around(graph, node)


def _transpose_around(graph: ir.Graph, node: ir.Node) -> None:
    node.attributes.pop("layout")
    swapped = [0, 5, 6]
    for index in swapped:
        value = node.inputs[index] if index < len(node.inputs) else None
        if value is not None:
            turned = ir.node("Transpose", [value], {"perm": [1, 0, 2]})
            turned.outputs[0].name = f"{value.name}/time first {node.name or id(node)}"
            graph.insert_before(node, turned)
            node.replace_input_with(index, turned.outputs[0])
    # Y [batch, steps, D, H] from [steps, D, batch, H]; Y_h [batch, D, H] from [D, batch, H].
    for index, output in enumerate(node.outputs):
        perm = [2, 0, 1, 3] if index == 0 else [1, 0, 2]
        if output.uses() or output.is_graph_output():
            back = ir.node("Transpose", [output], {"perm": perm})
            back.outputs[0].name = f"{output.name}/batch first"
            back.outputs[0].type, back.outputs[0].shape = output.type, output.shape
            output.shape = None
            output.replace_all_uses_with(back.outputs[0], replace_graph_outputs=True)
            back.replace_input_with(0, output)
            if back.outputs[0].is_graph_output():
                output.name, back.outputs[0].name = back.outputs[0].name, output.name
            graph.insert_after(node, back)


def _name_all(graph: ir.Graph) -> None:
    """Every node a name of its own: rules and messages speak of nodes by name, and a state has
    segments of nodes and of inputs."""
    taken = {str(given.name) for given in graph.inputs}
    for index, node in enumerate(graph):
        name = node.name or f"{node.op_type}_{index}"
        while name in taken:
            name = f"{name}_{index}"
        taken.add(name)
        node.name = name


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
