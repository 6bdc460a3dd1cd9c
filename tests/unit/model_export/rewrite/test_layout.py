"""Operators move to values without the time axis of length one; what would change stays."""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper
from onnx_ir.passes.common import RemoveUnusedNodesPass

from model_export.rewrite.layout import cancel_layout
from service.engine.provider import Provider

LAYOUT = {"Unsqueeze", "Squeeze", "Transpose"}


def constant(name: str, shape: tuple[int, ...]) -> TensorProto:
    random = np.random.default_rng(len(name))
    return numpy_helper.from_array(random.normal(size=shape).astype(np.float32), name)


CONSTANTS = [
    *(numpy_helper.from_array(np.array([axis]), f"axis{axis}") for axis in (0, 1, 2)),
    numpy_helper.from_array(np.array([-1]), "axis-1"),
    constant("scale", (1,)),
    constant("bias", (3,)),
    constant("weight", (3, 3)),
]


def graph_of(nodes: list[NodeProto]) -> ir.Graph:
    """x [batch, 3] through the nodes, and a Relu at the end, so that the last may go too."""
    nodes.append(helper.make_node("Relu", [nodes[-1].output[0]], ["y"]))
    made = helper.make_graph(
        nodes,
        "layout",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        CONSTANTS,
    )
    opset = [helper.make_opsetid("", 20)]
    return ir.from_proto(helper.make_model(made, opset_imports=opset)).graph


def chain(*steps: tuple[str, str | list[int]]) -> list[NodeProto]:
    nodes: list[NodeProto] = []
    for index, (operator, argument) in enumerate(steps):
        source = "x" if index == 0 else f"v{index - 1}"
        inputs = [source] if isinstance(argument, list) else [source, argument]
        node = helper.make_node(operator, inputs, [f"v{index}"])
        if isinstance(argument, list):
            node.attribute.append(helper.make_attribute("perm", argument))
        nodes.append(node)
    return nodes


@pytest.mark.parametrize(
    "steps",
    [
        [("Unsqueeze", "axis1"), ("Squeeze", "axis1")],
        [("Unsqueeze", "axis1"), ("Transpose", [1, 0, 2]), ("Squeeze", "axis0")],
        [("Unsqueeze", "axis-1"), ("Squeeze", "axis2")],
        [("Transpose", [1, 0]), ("Transpose", [1, 0])],
        [
            ("Unsqueeze", "axis0"),
            ("Unsqueeze", "axis0"),
            ("Squeeze", "axis1"),
            ("Squeeze", "axis0"),
        ],
    ],
)
def test_a_chain_that_ends_where_it_began(steps: list[tuple[str, str | list[int]]]) -> None:
    graph = graph_of(chain(*steps))
    cancel_layout(graph)
    last = graph.outputs[0].producer()
    assert last is not None
    assert last.inputs[0] is graph.inputs[0]


@pytest.mark.parametrize(
    "steps",
    [
        [("Unsqueeze", "axis1")],
        [("Transpose", [1, 0])],
        [("Unsqueeze", "axis1"), ("Transpose", [2, 1, 0]), ("Squeeze", "axis1")],
        [("Squeeze", "axis0"), ("Unsqueeze", "axis0")],
    ],
)
def test_a_chain_that_ends_elsewhere(steps: list[tuple[str, str | list[int]]]) -> None:
    graph = graph_of(chain(*steps))
    cancel_layout(graph)
    last = graph.outputs[0].producer()
    assert last is not None
    assert last.inputs[0] is not graph.inputs[0]


def run(graph: ir.Graph, x: NDArray[np.float32]) -> NDArray[np.float32]:
    model = ir.Model(graph, ir_version=10)
    RemoveUnusedNodesPass()(model)
    session = Provider().open(ir.to_proto(model).SerializeToString())
    found: NDArray[np.float32] = session.run(["y"], {"x": x})[0]
    return found


def padded(middle: list[NodeProto]) -> ir.Graph:
    """x [batch, 3] made [1, batch, 3] for `middle`, which goes from "a" to "b", and cut again."""
    nodes = [
        helper.make_node("Unsqueeze", ["x", "axis1"], ["u"]),
        helper.make_node("Transpose", ["u"], ["a"], perm=[1, 0, 2]),
        *middle,
        helper.make_node("Squeeze", ["b", "axis0"], ["s"]),
    ]
    return graph_of(nodes)


LIFTED: dict[str, list[NodeProto]] = {
    "unary": [helper.make_node("Tanh", ["a"], ["b"])],
    "a number": [helper.make_node("Mul", ["scale", "a"], ["b"])],
    "a vector along the last axis": [helper.make_node("Sub", ["a", "bias"], ["b"])],
    "a product": [helper.make_node("MatMul", ["a", "weight"], ["b"])],
    "softmax of the last axis": [helper.make_node("Softmax", ["a"], ["b"], axis=2)],
    "two of the same layout": [
        helper.make_node("Tanh", ["a"], ["t"]),
        helper.make_node("Add", ["a", "t"], ["b"]),
    ],
}
KEPT: dict[str, list[NodeProto]] = {
    "softmax over the batch": [helper.make_node("Softmax", ["a"], ["b"], axis=1)],
    "a product with the value on the right": [
        helper.make_node("Transpose", ["a"], ["t"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["weight", "t"], ["m"]),
        helper.make_node("Transpose", ["m"], ["b"], perm=[0, 2, 1]),
    ],
    "a vector along the batch": [
        helper.make_node("Transpose", ["a"], ["t"], perm=[0, 2, 1]),
        helper.make_node("Add", ["t", "bias"], ["m"]),
        helper.make_node("Transpose", ["m"], ["b"], perm=[0, 2, 1]),
    ],
    "two of different layouts": [
        helper.make_node("Transpose", ["a"], ["t"], perm=[0, 2, 1]),
        helper.make_node("Add", ["a", "t"], ["b"]),
    ],
    "an operator that is not known": [helper.make_node("CumSum", ["a", "axis-1"], ["b"])],
}


@pytest.mark.parametrize("middle", LIFTED.values(), ids=LIFTED)
def test_operators_move_out_of_the_padding(middle: list[NodeProto]) -> None:
    x = np.random.default_rng(0).normal(size=(3, 3)).astype(np.float32)
    expected = run(padded(middle), x)
    graph = padded(middle)
    cancel_layout(graph)
    np.testing.assert_array_equal(run(graph, x), expected)
    assert not [node.op_type for node in graph if node.op_type in LAYOUT]


@pytest.mark.parametrize("middle", KEPT.values(), ids=KEPT)
def test_what_would_compute_something_else_stays(middle: list[NodeProto]) -> None:
    x = np.random.default_rng(0).normal(size=(3, 3)).astype(np.float32)
    expected = run(padded(middle), x)
    graph = padded(middle)
    cancel_layout(graph)
    np.testing.assert_array_equal(run(graph, x), expected)
    assert [node for node in graph if node.op_type in LAYOUT]


@pytest.mark.parametrize("name", ["weather", "weather-deep", "letters", "letters-deep"])
def test_our_own_models_keep_no_layout_operator(repository: Path, name: str) -> None:
    operators = [node.op_type for node in onnx.load(repository / name / "1/step.onnx").graph.node]
    assert not LAYOUT.intersection(operators), operators
