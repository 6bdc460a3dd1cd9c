"""Reading an ONNX file: what it holds, and how it answers in ONNX Runtime."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from google.protobuf.message import DecodeError
from onnx import TensorProto
from onnx.external_data_helper import load_external_data_for_model

from model_export.errors import ExportError
from model_export.original import Arrays, Original
from model_export.verify.float64 import Float64Graph

LARGEST_BYTES = 2**31 - 1
"""Of a file with all its weights: protobuf holds no more."""


def read_onnx(file: Path) -> Original:
    """Read a file and the weights beside it; nothing outside its folder.

    Raises ExportError for what is no ONNX model, or not all of one.
    """
    model = _read(file)
    return Original(model, _answer(file, model), file, _framework(model), _warnings(model))


def _read(file: Path) -> onnx.ModelProto:
    if file.stat().st_size > LARGEST_BYTES:
        raise ExportError(
            f"{file} has {file.stat().st_size} bytes, at most {LARGEST_BYTES} are read"
        )
    model = onnx.ModelProto()
    try:
        model.ParseFromString(file.read_bytes())
    except DecodeError:
        raise ExportError(f"{file} is not an ONNX file, or not all of one") from None
    if not model.graph.node:
        raise ExportError(f"{file} is not an ONNX model: it has no nodes")
    try:
        load_external_data_for_model(model, str(file.parent))
    except Exception as error:  # whatever is wrong with the weights beside it
        raise ExportError(f"{file}: its external data cannot be read: {error}") from None
    return model


def _answer(file: Path, model: onnx.ModelProto) -> Callable[[Arrays], Arrays]:
    """The file itself, as it is, in ONNX Runtime, where that runs it and to the last digit."""
    if any(_takes_batch_first(node) for node in model.graph.node) or _is_of_other_floats(model):
        return Float64Graph(model.SerializeToString()).run
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # As the file says it, without the liberties that faster kernels take.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    opened: list[onnxruntime.InferenceSession] = []

    def answer(inputs: Arrays) -> Arrays:
        if not opened:
            try:
                opened.append(onnxruntime.InferenceSession(model.SerializeToString(), options))
            except Exception as error:
                raise ExportError(f"{file}: ONNX Runtime refuses it: {error}") from None
        session = opened[0]
        names = [output.name for output in session.get_outputs()]
        types = {one.name: _numpy_type(one.type) for one in session.get_inputs()}
        feed = {name: inputs[name].astype(kind) for name, kind in types.items()}
        try:
            return dict(zip(names, session.run(names, feed), strict=True))
        except Exception as error:  # a kernel that lacks, or a shape that does not fit
            raise ExportError(f"{file}: ONNX Runtime cannot run it: {error}") from None

    return answer


def _takes_batch_first(node: onnx.NodeProto) -> bool:
    """ONNX Runtime has no kernel for a GRU with layout=1."""
    return node.op_type == "GRU" and any(one.name == "layout" and one.i for one in node.attribute)


def _is_of_other_floats(model: onnx.ModelProto) -> bool:
    """Half precision says the weights, not how exactly to compute with them; and ONNX Runtime has
    no kernel for a GRU in float64."""
    types = {one.type.tensor_type.elem_type for one in model.graph.input}
    types |= {tensor.data_type for tensor in model.graph.initializer if len(tensor.dims) > 1}
    return bool(types & {TensorProto.FLOAT16, TensorProto.DOUBLE})


def _numpy_type(kind: str) -> np.dtype[np.generic]:
    names = {"float": "float32", "double": "float64"}
    inner = kind.removeprefix("tensor(").removesuffix(")")
    return np.dtype(names.get(inner, inner))


def _framework(model: onnx.ModelProto) -> str:
    made_by = f"{model.producer_name} {model.producer_version}".strip()
    return f"ONNX, made by {made_by}" if made_by else "ONNX"


def _warnings(model: onnx.ModelProto) -> tuple[str, ...]:
    if model.producer_name != "pytorch":
        return ()
    for node in model.graph.node:
        after = {one.name: one.i for one in node.attribute}.get("linear_before_reset", 0)
        if node.op_type == "GRU" and not after:
            return (
                f"GRU node {node.name!r} says linear_before_reset=0, and nn.GRU is always the "
                "other variant: some exporters wrote it wrongly. Compare with the module's own "
                "answers by --reference.",
            )
    return ()
