"""Each operator by itself: what its rule says of a sequence, or why it needs all of it at once.

The input is a stream with the axes batch, time, 6 unless a case says otherwise.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from model_export.rewrite.analysis import Analysis, analyse
from model_export.rewrite.axes import Axes, Axis, Fixed
from model_export.rewrite.facts import Fact, Source, Whole

Numbers = NDArray[Any] | list[Any] | float
B: Axis = ("batch",)
T: Axis = ("time",)
STREAM: Axes = (B, T, (6,))
CHANNELS: Axes = (B, (6,), T)
IMAGE: Axes = (B, (2,), T, (6,))


@dataclass(frozen=True)
class Case:
    """One node: `x` and then the numbers are its inputs."""

    op_type: str
    numbers: tuple[Numbers | None, ...] = ()
    axes: Axes = STREAM
    attributes: dict[str, Any] = field(default_factory=dict)
    twice: bool = False
    """Whether the sequence is its second input as well."""
    outputs: int = 1
    opset: int = 20

    def __str__(self) -> str:
        small = [np.asarray(one).tolist() for one in self.numbers if np.size(np.asarray(one)) < 4]
        return " ".join([self.op_type, *map(str, small), *map(str, self.attributes.values())])


def analysed(case: Case) -> Analysis:
    """The analysis of a model of this node alone; its outputs are `y0`, `y1`, …."""
    inputs, initializers = ["x"], []
    if case.twice:
        inputs.append("x")
    for index, numbers in enumerate(case.numbers):
        array = np.asarray(numbers)
        array = array.astype(np.int64 if array.dtype.kind in "iu" else np.float32)
        inputs.append("" if numbers is None else f"c{index}")
        if numbers is not None:
            initializers.append(numpy_helper.from_array(array, f"c{index}"))
    names = [f"y{index}" for index in range(case.outputs)]
    node = helper.make_node(case.op_type, inputs, names, name="node", **case.attributes)
    sizes = [
        one[0] if len(one) == 1 and isinstance(one[0], int) else "_".join(map(str, one)) or 1
        for one in case.axes
    ]
    graph = helper.make_graph(
        [node],
        "one node",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, sizes)],
        [onnx.ValueInfoProto(name=name) for name in names],
        initializers,
    )
    opsets = [helper.make_opsetid("", case.opset)]
    model = ir.from_proto(helper.make_model(graph, opset_imports=opsets, ir_version=10))
    return analyse(model, {"x": Fact(case.axes, Source.STREAM)}, Fixed())


EYE = np.eye(6, dtype=np.float32)
FOLLOWED: list[tuple[Case, Axes, tuple[int, int]]] = [
    (Case("Tanh"), STREAM, (0, 0)),
    (Case("Clip", (-1.0, 1.0)), STREAM, (0, 0)),
    (Case("Add", (np.ones(6),)), STREAM, (0, 0)),
    (Case("Mul", (np.ones((1, 1, 1)),)), STREAM, (0, 0)),
    (Case("Add", twice=True), STREAM, (0, 0)),
    (Case("Where", (np.ones((6,)), np.zeros(6))), STREAM, (0, 0)),
    (Case("MatMul", (np.ones((6, 4)),)), (B, T, (4,)), (0, 0)),
    (Case("Gemm", (EYE, np.ones(6)), (("batch", "time"), (6,))), (("batch", "time"), (6,)), (0, 0)),
    (Case("Einsum", (EYE,), attributes={"equation": "btf,fg->tbg"}), (T, B, (6,)), (0, 0)),
    (Case("Transpose", attributes={"perm": [1, 0, 2]}), (T, B, (6,)), (0, 0)),
    (Case("Reshape", ([0, 0, 2, 3],)), (B, T, (2,), (3,)), (0, 0)),
    (Case("Reshape", ([-1, 6],)), (("batch", "time"), (6,)), (0, 0)),
    (Case("Reshape", ([0, -1],), (B, (2,), (3,), T)), (B, (6, "time")), (0, 0)),
    (Case("Flatten", attributes={"axis": 2}), (("batch", "time"), (6,)), (0, 0)),
    (Case("Unsqueeze", ([-1],)), (B, T, (6,), ()), (0, 0)),
    (Case("Squeeze", ([1],), (B, (), T)), (B, T), (0, 0)),
    (Case("Expand", ([1, 1, 4, 1],), (B, T, (), (6,))), (B, T, (4,), (6,)), (0, 0)),
    (Case("Tile", ([1, 1, 3],)), (B, T, (18,)), (0, 0)),
    (Case("Split", ([2, 4],), attributes={"axis": -1}, outputs=2), (B, T, (2,)), (0, 0)),
    (Case("Slice", ([1], [5], [2])), (B, T, (4,)), (0, 0)),
    (Case("Slice", ([5], [-7], [2], [-2])), (B, T, (3,)), (0, 0)),
    (Case("Slice", ([2], [2**62], [1])), STREAM, (2, -2)),
    (Case("Slice", ([0], [-3], [1])), STREAM, (0, -3)),
    (Case("Gather", ([0, 5, 2],), attributes={"axis": 2}), (B, T, (3,)), (0, 0)),
    (Case("Concat", twice=True, attributes={"axis": 2}), (B, T, (12,)), (0, 0)),
    (Case("Pad", ([0, 0, 1, 0, 0, 2],)), (B, T, (9,)), (0, 0)),
    (Case("Pad", ([0, 3, 0, 0, 1, 0],)), STREAM, (-3, 4)),
    (Case("Pad", ([0, 1, 2, 0, 0, 0],)), (B, T, (8,)), (-1, 1)),
    (Case("ReduceMean", ([-1],), attributes={"keepdims": 0}), (B, T), (0, 0)),
    (Case("ReduceMax", ([2],)), (B, T, ()), (0, 0)),
    (Case("ArgMax", attributes={"axis": 2, "keepdims": 0}), (B, T), (0, 0)),
    (Case("Softmax", attributes={"axis": 2}), STREAM, (0, 0)),
    (Case("LayerNormalization", (np.ones(6), np.zeros(6))), STREAM, (0, 0)),
    (Case("BatchNormalization", (np.ones(6),) * 4, CHANNELS), CHANNELS, (0, 0)),
    (Case("CumSum", (1,)), STREAM, (0, 0)),
    (Case("CumSum", (2,)), STREAM, (0, 0)),
    (Case("Conv", (np.ones((5, 6, 1)),), CHANNELS), (B, (5,), T), (0, 0)),
    (Case("Conv", (np.ones((5, 6, 3)),), CHANNELS), (B, (5,), T), (2, -2)),
    (
        Case("Conv", (np.ones((5, 6, 3)),), CHANNELS, {"pads": [4, 0], "dilations": [2]}),
        (B, (5,), T),
        (0, 0),
    ),
    (Case("Conv", (np.ones((5, 6, 3)),), CHANNELS, {"pads": [1, 1]}), (B, (5,), T), (1, 0)),
    (
        Case("Conv", (np.ones((4, 2, 1, 3)),), IMAGE, {"pads": [0, 1, 0, 1]}),
        (B, (4,), T, (6,)),
        (0, 0),
    ),
    (
        Case("Conv", (np.ones((4, 2, 2, 3)),), IMAGE, {"pads": [1, 0, 0, 0], "strides": [1, 3]}),
        (B, (4,), T, (2,)),
        (0, 0),
    ),
    (
        Case("ConvTranspose", (np.ones((2, 4, 1, 3)),), IMAGE, {"strides": [1, 2]}),
        (B, (4,), T, (13,)),
        (0, 0),
    ),
    (Case("MaxPool", (), CHANNELS, {"kernel_shape": [3]}), CHANNELS, (2, -2)),
    (
        Case("AveragePool", (), IMAGE, {"kernel_shape": [1, 3], "strides": [1, 3]}),
        (B, (2,), T, (2,)),
        (0, 0),
    ),
]

NEEDS_WHOLE: list[tuple[Case, str]] = [
    (Case("ReduceMean", ([1],)), "works along the time"),
    (Case("ReduceSum", ([0],)), "works along the batch"),
    (Case("ReduceMax"), "works along the"),
    (Case("ArgMin", attributes={"axis": 1}), "works along the time"),
    (Case("Softmax", attributes={"axis": 1}), "works along the time"),
    (Case("LayerNormalization", (np.ones((6,)),), attributes={"axis": 1}), "works along the time"),
    (Case("InstanceNormalization", (np.ones(6),) * 2, CHANNELS), "works along the time"),
    (Case("GlobalMaxPool", (), CHANNELS), "works along the time"),
    (
        Case("BatchNormalization", (np.ones(6),) * 4, CHANNELS, {"training_mode": 1}, outputs=3),
        "training mode",
    ),
    (Case("MatMul", (np.ones((6, 6)),), (B, (6,), T)), "sums over the steps"),
    (Case("Einsum", attributes={"equation": "btf,bsf->bts"}, twice=True), "every other one"),
    (Case("Einsum", attributes={"equation": "btf->bf"}), "sums over the steps"),
    (Case("Einsum", (EYE,), attributes={"equation": "...f,fg->...g"}), "not written out"),
    (Case("Reshape", ([0, 2, -1],)), "takes the steps apart"),
    (Case("Reshape", ([-1, 4],)), "the lengths of one export only"),
    (Case("Tile", ([1, 2, 1],)), "repeats the steps"),
    (Case("Split", (), attributes={"axis": 1, "num_outputs": 2}, outputs=2), "cuts the sequence"),
    (Case("Slice", ([-1], [-(2**62)], [1], [-1])), "backwards"),
    (Case("Slice", ([0], [2**62], [1], [2])), "leaves steps out"),
    (Case("Slice", ([0], [5], [1])), "keeps the first steps only"),
    (Case("Slice", ([-5], [2**62], [1])), "keeps the last steps only"),
    (Case("Slice", ([1], [2**62], [0])), "picks some sequences"),
    (Case("Gather", (2,), attributes={"axis": 1}), "picks step 2, which is not the last"),
    (Case("Gather", ([0, 1],), attributes={"axis": 1}), "picks several steps"),
    (Case("Gather", (0,), attributes={"axis": 0}), "picks some sequences"),
    (Case("Concat", twice=True, attributes={"axis": 1}), "one behind the other"),
    (Case("Concat", twice=True, attributes={"axis": 0}), "joins batches"),
    (Case("Pad", ([0, 1, 0, 0, 0, 0],), attributes={"mode": "edge"}), "by edge"),
    (Case("Pad", ([1, 0, 0, 0, 0, 0],)), "pads the batch"),
    (Case("CumSum", (1,), attributes={"reverse": 1}), "from the end"),
    (Case("CumSum", (0,)), "over the batch"),
    (Case("Conv", (np.ones((5, 6, 3)),), CHANNELS, {"strides": [2]}), "moves 2 steps at a time"),
    (Case("Conv", (np.ones((5, 6, 3)),), CHANNELS, {"pads": [5, 0]}), "padding alone"),
    (
        Case("MaxPool", (), CHANNELS, {"kernel_shape": [3], "pads": [1, 1]}),
        "pools over the time with padding",
    ),
    (
        Case("ConvTranspose", (np.ones((6, 4, 2)),), CHANNELS, {"strides": [2]}),
        "spreads each step over several",
    ),
    (Case("ReverseSequence", ([7],), attributes={"time_axis": 1, "batch_axis": 0}), "not known"),
    (Case("TopK", ([1],), attributes={"axis": 1}, outputs=2), "not known"),
    (Case("NonZero"), "not known"),
]


@pytest.mark.parametrize(("case", "axes", "shift"), FOLLOWED, ids=[str(one[0]) for one in FOLLOWED])
def test_what_is_followed(case: Case, axes: Axes, shift: tuple[int, int]) -> None:
    fact = analysed(case).facts["y0"]
    assert isinstance(fact, Fact)
    assert (fact.axes, (fact.late, fact.extra)) == (axes, shift)
    assert fact.source is Source.STREAM


@pytest.mark.parametrize(("case", "reason"), NEEDS_WHOLE, ids=[str(one[0]) for one in NEEDS_WHOLE])
def test_what_needs_the_whole_sequence(case: Case, reason: str) -> None:
    fact = analysed(case).facts["y0"]
    assert isinstance(fact, Whole)
    assert reason in fact.reason
    assert "node 'node'" in fact.reason


@pytest.mark.parametrize(
    ("case", "axes"),
    [
        (Case("Gather", (-1,), attributes={"axis": 1}), (B, (6,))),
        (Case("Gather", ([-1],), attributes={"axis": 1}), (B, (), (6,))),
        (Case("Slice", ([-1], [2**62], [1])), (B, (), (6,))),
    ],
)
def test_the_last_step(case: Case, axes: Axes) -> None:
    fact = analysed(case).facts["y0"]
    assert isinstance(fact, Fact)
    assert (fact.axes, fact.source) == (axes, Source.LAST)


@pytest.mark.parametrize(
    ("case", "frames", "shape"),
    [
        (Case("Conv", (np.ones((5, 6, 3)),), CHANNELS, {"dilations": [2]}), 4, (4, 6)),
        (Case("Conv", (np.ones((4, 2, 3, 1)),), IMAGE), 2, (2, 2, 6)),
        (Case("MaxPool", (), CHANNELS, {"kernel_shape": [4]}), 3, (3, 6)),
        (Case("CumSum", (1,)), 1, (1, 6)),
    ],
)
def test_the_past_that_a_session_carries(case: Case, frames: int, shape: tuple[int, ...]) -> None:
    (carried,) = analysed(case).carried
    assert (carried.frames, carried.shape) == (frames, shape)
