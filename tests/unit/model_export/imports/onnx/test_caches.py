"""Caches that a model of single steps is fed back, of every type."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from model_export.errors import ModelRefused
from tests.oracle import assert_agrees
from tests.unit.model_export.gru_models import FIRST, INPUTS
from tests.unit.model_export.imports.onnx.around import node
from tests.unit.model_export.imports.onnx.importing import imported

REMEMBERED = 4
EXACT = [np.bool_, np.int8, np.uint8, np.int16, np.uint16, np.float32]
BATCHES = [1, "batch"]


def remembering(dtype: type[np.generic], batch: int | str) -> onnx.ModelProto:
    """x [batch, 1, 3] is rounded to a type; the last four roundings are passed in and out."""
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    nodes = [
        node("Mul", "x scale", "scaled"),
        node("Abs", "scaled", "positive"),
        node("Cast", "positive", "rounded", to=kind),
        node("Slice", "cache one end one", "kept"),
        node("Concat", "kept rounded", "cache_out", axis=1),
        node("Cast", "cache_out", "numbers", to=TensorProto.FLOAT),
        node("ReduceMean", "numbers one", "mean"),
        node("Div", "mean scale", "small"),
        node("Add", "x small", "sum"),
        node("Transpose", "sum", "steps", perm=[1, 0, 2]),
        helper.make_node("GRU", ["steps", "W", "R", "B", "", "h"], ["Y", "h_out"], hidden_size=4),
        node("Squeeze", "h_out zero", "y"),
    ]
    stored: dict[str, NDArray[Any]] = {
        **{"W": FIRST.W, "R": FIRST.R, "B": FIRST.B, "scale": np.array(40, np.float32)},
        **{"one": np.array([1]), "zero": np.array([0]), "end": np.array([2**31 - 1])},
    }
    cache, hidden = [batch, REMEMBERED, INPUTS], [1, batch, 4]
    graph = helper.make_graph(
        nodes,
        "remembering",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 1, INPUTS]),
            helper.make_tensor_value_info("cache", kind, cache),
            helper.make_tensor_value_info("h", TensorProto.FLOAT, hidden),
        ],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 4]),
            helper.make_tensor_value_info("cache_out", kind, cache),
            helper.make_tensor_value_info("h_out", TensorProto.FLOAT, hidden),
        ],
        [numpy_helper.from_array(array, name) for name, array in stored.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def by_the_file(model: onnx.ModelProto, x: NDArray[Any]) -> NDArray[np.float32]:
    """What it answers one row and one step at a time, its outputs fed back: [B, T, O]."""
    session = onnxruntime.InferenceSession(model.SerializeToString())
    kind = next(one for one in model.graph.input if one.name == "cache").type.tensor_type.elem_type
    answers = np.empty((*x.shape[:2], 4), np.float32)
    for row in range(len(x)):
        cache = np.zeros((1, REMEMBERED, INPUTS), helper.tensor_dtype_to_np_dtype(kind))
        h = np.zeros((1, 1, 4), np.float32)
        for t in range(x.shape[1]):
            feed = {"x": x[row : row + 1, t : t + 1], "cache": cache, "h": h}
            answers[row, t], cache, h = session.run(None, feed)
    return answers


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("dtype", EXACT)
def test_what_float32_holds_exactly_is_carried(
    dtype: type[np.generic], batch: int | str, tmp_path: Path
) -> None:
    model = remembering(dtype, batch)
    engine = imported(model, tmp_path)
    assert {"cache"} == {one.name for one in engine.manifest.state if one.kind == "carried"}
    x = np.random.default_rng(3).standard_normal((3, 11, INPUTS)).astype(np.float32)
    state = engine.initial_states(3)
    expected = by_the_file(model, x)
    for t in range(x.shape[1]):
        steps = engine.step(x[:, t], state, gates=False)
        state = steps.state
        assert_agrees(steps.output, expected[:, t].astype(np.float64))


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint32, np.uint64])
def test_what_it_does_not_hold_is_refused_by_name(
    dtype: type[np.generic], batch: int | str, tmp_path: Path
) -> None:
    with pytest.raises(ModelRefused, match="the input 'cache' is fed back and holds"):
        imported(remembering(dtype, batch), tmp_path)
