"""Reading an ONNX file: what it holds, and how it answers in ONNX Runtime."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.inliner
import onnx_ir as ir
import onnxruntime
from google.protobuf.message import DecodeError
from onnx import TensorProto
from onnx.external_data_helper import load_external_data_for_model

from model_export.errors import ModelRefused
from model_export.float64.graph import Float64Graph, show_inside
from model_export.original import Arrays, Original
from model_export.rewrite.time_first import is_batch_first, time_first

LARGEST_BYTES = 2**31 - 1
"""Of a file with all its weights: protobuf holds no more."""


def read_onnx(file: Path) -> Original:
    """Read a file and the weights beside it; nothing outside its folder.

    Raises ModelRefused for what is no ONNX model, or not all of one.
    """
    model = _read(file)
    answer, inside = _ways_to_ask(file, model)
    return Original(model, answer, inside, file, _framework(model), _warnings(model))


Ask = Callable[[Arrays], Arrays]


def _ways_to_ask(file: Path, model: onnx.ModelProto) -> tuple[Ask, Ask]:
    """For its outputs, and for every value inside."""
    if _is_of_other_floats(model):
        content = model.SerializeToString()
        return Float64Graph(content).run, Float64Graph(content, inside=True).run
    return _Runtime(file, model).answer, _inside(file, model)


def _read(file: Path) -> onnx.ModelProto:
    if file.stat().st_size > LARGEST_BYTES:
        raise ModelRefused(
            f"{file} has {file.stat().st_size} bytes, at most {LARGEST_BYTES} are read"
        )
    model = onnx.ModelProto()
    try:
        model.ParseFromString(file.read_bytes())
    except DecodeError:
        raise ModelRefused(f"{file} is not an ONNX file, or not all of one") from None
    if not model.graph.node:
        raise ModelRefused(f"{file} is not an ONNX model: it has no nodes")
    try:
        load_external_data_for_model(model, str(file.parent))
    except Exception as error:  # whatever is wrong with the weights beside it
        raise ModelRefused(f"{file}: its external data cannot be read: {error}") from None
    return model


class _Runtime:
    """A model as it is, in ONNX Runtime; opened when it is first asked."""

    def __init__(self, file: Path, model: onnx.ModelProto) -> None:
        self._file = file
        self._model = model
        self._session: onnxruntime.InferenceSession | None = None

    def answer(self, inputs: Arrays) -> Arrays:
        """All outputs by name, for all inputs by name."""
        session = self._opened()
        names = [output.name for output in session.get_outputs()]
        types = {one.name: _numpy_type(one.type) for one in session.get_inputs()}
        feed = {name: inputs[name].astype(kind) for name, kind in types.items()}
        try:
            return dict(zip(names, session.run(names, feed), strict=True))
        except Exception as error:
            shapes = ", ".join(f"{name} {list(one.shape)}" for name, one in feed.items())
            raise ModelRefused(
                f"{self._file}: ONNX Runtime cannot run it on {shapes}: {error}"
            ) from None

    def _opened(self) -> onnxruntime.InferenceSession:
        if self._session is None:
            options = onnxruntime.SessionOptions()
            # What it has to say comes as an exception; it would print the same once more.
            options.log_severity_level = 4
            # As the file says it, without the liberties that faster kernels take.
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
            try:
                content = _runnable(self._model)
                self._session = onnxruntime.InferenceSession(content, options)
            except Exception as error:
                raise ModelRefused(f"{self._file}: ONNX Runtime refuses it: {error}") from None
        return self._session


def _runnable(model: onnx.ModelProto) -> bytes:
    """The file as ONNX Runtime takes it: recurrent nodes with layout=1 get what is around them."""
    inlined = ir.from_proto(onnx.inliner.inline_local_functions(model))
    if not any(map(is_batch_first, inlined.graph)):
        return bytes(model.SerializeToString())
    time_first(inlined.graph)
    return bytes(ir.to_proto(inlined).SerializeToString())


def _inside(file: Path, model: onnx.ModelProto) -> Callable[[Arrays], Arrays]:
    """The same with every value inside as an output."""

    def inside(inputs: Arrays) -> Arrays:
        shown = onnx.ModelProto()
        shown.CopyFrom(model)
        show_inside(shown)
        return _Runtime(file, shown).answer(inputs)

    return inside


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
