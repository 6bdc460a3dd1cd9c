"""From a model as a file has it to one in the form that the rules are written for."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import onnx
import onnx.inliner
import onnx_ir as ir
import onnx_ir.passes.common as passes
from numpy.typing import NDArray
from onnx import version_converter
from onnxscript.optimizer import fold_constants

from model_export.errors import ModelRefused, one_line
from model_export.rewrite.cleaning import clean
from model_export.rewrite.time_first import time_first

OPSET = 20
"""Older models are converted to this one."""
NEWEST_OPSET = 23
"""Newer ones are converted back to this one, the newest that all of the service's parts know."""
LARGEST_NODES = 5000
"""Of a model, its functions written out: ten times those of a large one with GRUs."""
_OTHER_FLOATS = (ir.DataType.FLOAT16, ir.DataType.DOUBLE, ir.DataType.BFLOAT16)
_RANDOM = {
    *("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform"),
    "RandomUniformLike",
}
_MAKING = ("ConstantOfShape", "Expand", "OneHot", "Range", "Tile")
_LARGEST_FOLDED = 2**26
"""Numbers of a constant that is computed once and for all."""


def normalise(proto: onnx.ModelProto) -> ir.Model:
    """Functions inlined, constants computed, every node named, shapes inferred, float32.

    Raises ModelRefused for what is no valid ONNX model.
    """
    _check_size(proto)
    _check(proto)
    proto = _converted(onnx.inliner.inline_local_functions(proto))
    try:
        model = ir.from_proto(proto)
    except Exception as error:  # whatever it says, the file is at fault
        raise ModelRefused(f"not a valid ONNX model: {one_line(error)}") from None
    passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    passes.RemoveInitializersFromInputsPass()(model)
    _check_stored(model)
    _to_float32(model)
    time_first(model.graph)
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
    _fold(model)
    passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    clean(model)
    _name_all(model.graph)
    _refuse_random(model)
    _infer_shapes(model)


def _check_size(proto: onnx.ModelProto) -> None:
    """Functions that call one another may stand for very many nodes."""
    sizes: dict[tuple[str, str], int] = {}

    def size_of(nodes: Iterable[onnx.NodeProto]) -> int:
        return sum(sizes.get((node.domain, node.op_type), 1) for node in nodes)

    # As many rounds as functions can be deep; those that call themselves are refused later.
    for _ in proto.functions:
        for one in proto.functions:
            sizes[one.domain, one.name] = min(size_of(one.node), LARGEST_NODES + 1)
    count = size_of(proto.graph.node)
    if count > LARGEST_NODES:
        raise ModelRefused(f"the model has {count} nodes or more, at most {LARGEST_NODES} are read")


def _check_stored(model: ir.Model) -> None:
    for name, value in model.graph.initializers.items():
        try:
            if value.const_value is not None:
                value.const_value.numpy()
        except Exception as error:  # more or less data than its shape says
            raise ModelRefused(
                f"the stored tensor {name!r} cannot be read: {one_line(error)}"
            ) from None


def _infer_shapes(model: ir.Model) -> None:
    """Where that fails, shapes are left unknown, and rules say what they cannot follow."""
    logger = logging.getLogger("onnx_ir.passes.common.shape_inference")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        passes.ShapeInferencePass()(model)
    finally:
        logger.setLevel(level)


def _check(proto: onnx.ModelProto) -> None:
    domains = {opset.domain: opset.version for opset in proto.opset_import}
    if not ({"", "ai.onnx"} & domains.keys()):
        raise ModelRefused("the model says no opset of ONNX: it is not a model, or not all of one")
    try:
        onnx.checker.check_model(proto)
    except Exception as error:
        raise ModelRefused(f"not a valid ONNX model: {one_line(error)}") from None


def _converted(proto: onnx.ModelProto) -> onnx.ModelProto:
    found = next(one.version for one in proto.opset_import if one.domain in ("", "ai.onnx"))
    if OPSET <= found <= NEWEST_OPSET:
        return proto
    target = OPSET if found < OPSET else NEWEST_OPSET
    try:
        return _without_leftovers(version_converter.convert_version(proto, target), target)
    except Exception as error:
        raise ModelRefused(
            f"opset {found} cannot be converted to {target}: {one_line(error)}; "
            f"export the model again with opset {OPSET}"
        ) from None


def _without_leftovers(proto: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    """The converter keeps some attributes that an operator does not have any more."""
    for node in proto.graph.node:
        if node.domain in ("", "ai.onnx") and onnx.defs.has(node.op_type):
            known = onnx.defs.get_schema(node.op_type, opset).attributes
            kept = [one for one in node.attribute if one.name in known]
            del node.attribute[:]
            node.attribute.extend(kept)
    return proto


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


def _fold(model: ir.Model) -> None:
    try:
        fold_constants(
            model,
            input_size_limit=_LARGEST_FOLDED,
            output_size_limit=_LARGEST_FOLDED,
            should_fold=_check_made,
        )
    except ModelRefused:
        raise
    except Exception as error:  # an operator that its own inputs do not fit
        raise ModelRefused(f"not a valid ONNX model: {one_line(error)}") from None


def _check_made(node: ir.Node) -> None:
    """Few numbers may stand for very many: they are counted before they are made."""
    if node.op_type not in _MAKING:
        return
    tensors = (value and ir.convenience.get_const_tensor(value) for value in node.inputs)
    known: list[Any] = [tensor and tensor.numpy().astype(object) for tensor in tensors]
    made = 0
    match node.op_type, known:
        case ("ConstantOfShape", [lengths]) | ("Expand", [_, lengths]) if lengths is not None:
            made = _product(lengths)
        case "Tile", [repeated, repeats] if repeats is not None:
            made = _product(repeats) * (1 if repeated is None else repeated.size)
        case "OneHot", [indexes, depth, _] if depth is not None:
            made = int(np.max(depth)) * (1 if indexes is None else indexes.size)
        case "Range", [begin, end, step] if not any(one is None for one in known):
            made = int(abs(np.max(end) - np.max(begin)) / (abs(np.max(step)) or 1))
    if not 0 <= made <= _LARGEST_FOLDED:
        raise ModelRefused(
            f"{node.op_type} node {node.name or node.outputs[0].name!r} makes {made} numbers, "
            f"at most {_LARGEST_FOLDED} are made"
        )


def _product(lengths: NDArray[Any]) -> int:
    """Below zero where one of them is; −1 of an Expand is none."""
    product = int(np.prod(np.abs(lengths), initial=1))
    return -product if (lengths < 0).any() else product


def _refuse_random(model: ir.Model) -> None:
    """No two runs are the same, and there is nothing to compare with."""
    for node in model.graph.all_nodes():
        if node.op_type in _RANDOM or _trains(node):
            how = "is in training mode" if node.op_type == "Dropout" else "draws random numbers"
            raise ModelRefused(
                f"{node.op_type} node {node.name!r} {how}: the model never answers the same; "
                "export it for inference"
            )


def _trains(node: ir.Node) -> bool:
    """Whether it is a Dropout that is, or may be, switched on."""
    if node.op_type != "Dropout" or len(node.inputs) < 3 or node.inputs[2] is None:
        return False
    flag = ir.convenience.get_const_tensor(node.inputs[2])
    return flag is None or bool(flag.numpy().any())


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
