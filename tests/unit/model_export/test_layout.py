"""Layout operators that undo each other are taken out, all others stay."""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from model_export.rewrite.layout import cancel_layout

LAYOUT = {"Unsqueeze", "Squeeze", "Transpose"}


def graph_of(nodes: list[NodeProto]) -> ir.Graph:
    """x [batch, 3] through the nodes, and a Relu at the end, so that the last may go too."""
    nodes.append(helper.make_node("Relu", [nodes[-1].output[0]], ["y"]))
    axes = [numpy_helper.from_array(np.array([axis]), f"axis{axis}") for axis in (-1, 0, 1, 2)]
    made = helper.make_graph(
        nodes,
        "layout",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        axes,
    )
    return ir.from_proto(helper.make_model(made)).graph


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


@pytest.mark.parametrize("name", ["weather", "weather-deep", "letters", "letters-deep"])
def test_only_front_and_head_of_our_own_models_keep_their_layout(
    repository: Path, name: str
) -> None:
    """Two operators in, five out; none between the layers, however many there are."""
    operators = [node.op_type for node in onnx.load(repository / name / "1/step.onnx").graph.node]
    assert sum(operator in LAYOUT for operator in operators) <= 7, operators
