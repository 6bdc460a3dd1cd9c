"""One GRU node with something before and something behind it."""

from collections.abc import Mapping, Sequence
from itertools import starmap
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from model_export.rewrite.builder import Attribute
from tests.unit.model_export.gru_models import FIRST, INPUTS

Shape = Sequence[int | str | None]
NOTHING: Mapping[str, NDArray[Any]] = {}
OPEN = ("batch", "time", INPUTS)


def around(
    before: Sequence[onnx.NodeProto] = (),
    after: Sequence[onnx.NodeProto] = (),
    *,
    shape: Shape = OPEN,
    output: Shape = (None, None, None),
    opset: int = 20,
    constants: Mapping[str, NDArray[Any]] = NOTHING,
) -> onnx.ModelProto:
    """x [batch, time, 3], nodes from x to `a`, a GRU of 4, and nodes from its states `h` to `y`.

    Without any nodes `a` is x, or `y` is `h` [batch, time, 4].
    """
    squeeze = node("Squeeze", "Y one", "flat")
    if opset < 13:
        squeeze = node("Squeeze", "Y", "flat", axes=[1])
    nodes = [
        *before,
        helper.make_node("Transpose", ["a" if before else "x"], ["steps"], perm=[1, 0, 2]),
        helper.make_node("GRU", ["steps", "W", "R", "B"], ["Y", "Y_h"], "gru", hidden_size=4),
        squeeze,
        helper.make_node("Transpose", ["flat"], ["h" if after else "y"], perm=[1, 0, 2]),
        *after,
    ]
    stored = {"W": FIRST.W, "R": FIRST.R, "B": FIRST.B, "one": np.array([1]), **constants}
    graph = helper.make_graph(
        nodes,
        "around",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, output)],
        [numpy_helper.from_array(array, name) for name, array in stored.items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def node(
    op_type: str, inputs: str, output: str, domain: str | None = None, **attributes: Attribute
) -> onnx.NodeProto:
    """A node that bears the name of its output; `inputs` are separated by spaces."""
    made = helper.make_node(op_type, inputs.split(" "), [output], output, domain=domain)
    made.attribute.extend(starmap(helper.make_attribute, attributes.items()))
    return made
