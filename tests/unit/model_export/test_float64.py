"""Graphs in float64 say what ONNX Runtime says, also where the onnx package's operators do not."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from model_export.errors import ModelRefused
from model_export.float64.graph import Float64Graph
from tests.oracle import assert_agrees
from tests.unit.model_export.gru_models import FIRST, SECOND, run

X = np.random.default_rng(0).standard_normal((2, 4, 5)).astype(np.float32)
GRUS = [
    helper.make_node("GRU", ["x", "W1", "R1"], ["", "last"], hidden_size=4),
    helper.make_node("GRU", ["last", "W2", "R2", "", "", ""], ["Y"], hidden_size=5),
    helper.make_node("Squeeze", ["Y"], ["y"]),
]


def graph(
    nodes: Sequence[onnx.NodeProto], x: NDArray[Any], **constants: NDArray[Any]
) -> onnx.ModelProto:
    made = helper.make_graph(
        nodes,
        "operators",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def weights(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


def agrees(nodes: Sequence[onnx.NodeProto], x: NDArray[Any], **constants: NDArray[Any]) -> None:
    model = graph(nodes, x, **constants).SerializeToString()
    assert_agrees(Float64Graph(model).run({"x": x})["y"], run(model, x=x)["y"])


def test_global_max_pool_of_one_axis() -> None:
    agrees([helper.make_node("GlobalMaxPool", ["x"], ["y"])], X)


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"group": 2},
        {"group": 2, "strides": [2], "output_padding": [1]},
        {"dilations": [2], "pads": [1, 2]},
    ],
)
def test_transposed_convolutions(attributes: dict[str, Any]) -> None:
    node = helper.make_node("ConvTranspose", ["x", "w", "b"], ["y"], **attributes)
    w, b = weights(4, 3, 2), weights(3 * attributes.get("group", 1))
    agrees([node], X, w=w, b=b)


def test_transposed_convolutions_of_images() -> None:
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[1, 2], pads=[0, 1, 0, 0])
    agrees([node], X[:, :, np.newaxis].repeat(3, axis=2), w=weights(4, 2, 1, 3))


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect"])
@pytest.mark.parametrize("pads", [[1, -1], [-2, 0], [1, 2]])
def test_pads_that_cut(mode: str, pads: list[int]) -> None:
    node = helper.make_node("Pad", ["x", "pads", "number", "axes"], ["y"], mode=mode)
    number = np.array(0.5, np.float32)
    agrees([node], X, pads=np.array(pads), number=number, axes=np.array([-1]))


def test_an_output_without_a_name_is_no_input_that_is_left_out() -> None:
    stored = {"W1": FIRST.W, "R1": FIRST.R, "W2": SECOND.W, "R2": SECOND.R}
    agrees(GRUS, X[:, :, :3], **stored)


def test_what_cannot_be_run_is_named() -> None:
    node = helper.make_node("GRU", ["x", "W", "R", "", "lengths"], ["", "y"], "gru", hidden_size=4)
    lengths = np.array([1, 2, 2, 2], np.int32)
    model = graph([node], X[:, :, :3], W=FIRST.W, R=FIRST.R, lengths=lengths)
    with pytest.raises(ModelRefused, match="GRU node 'gru' cannot be computed in float64"):
        Float64Graph(model.SerializeToString()).run({"x": X[:, :, :3]})


def test_an_operator_that_nobody_knows() -> None:
    node = helper.make_node("Strange", ["x"], ["y"], domain="somewhere")
    model = graph([node], X)
    model.opset_import.append(helper.make_opsetid("somewhere", 1))
    with pytest.raises(ModelRefused, match="Strange"):
        Float64Graph(model.SerializeToString())
