"""Models around a GRU that were once accepted wrongly, or ended in a traceback."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from model_export.errors import ModelRefused
from model_export.rewrite.roles import Hints
from tests.oracle import assert_agrees
from tests.unit.model_export.gru_models import INPUTS, run
from tests.unit.model_export.imports.onnx.around import around, node
from tests.unit.model_export.imports.onnx.importing import imported

BY_TIME = Hints(time_axis=1)


def test_a_sequence_that_depends_on_the_others_of_its_batch(tmp_path: Path) -> None:
    """As a whole it would be served: what one caller gets would depend on what others ask."""
    model = around([node("Softmax", "x", "a", axis=0)])
    with pytest.raises(ModelRefused, match=r"Softmax node 'a' works along the batch"):
        imported(model, tmp_path, BY_TIME)


@pytest.mark.parametrize(
    "nodes",
    [
        [node("RandomNormalLike", "x", "noise"), node("Add", "x noise", "a")],
        [node("RandomNormal", "", "noise", shape=[1, 1, 3]), node("Add", "x noise", "a")],
        [node("Dropout", "x ratio training", "a")],
    ],
    ids=["like", "of its own", "dropout"],
)
def test_what_is_random(nodes: list[onnx.NodeProto], tmp_path: Path) -> None:
    numbers = {"ratio": np.array(0.5, np.float32), "training": np.array(True)}
    nodes[0].input[:] = [name for name in nodes[0].input if name]
    with pytest.raises(ModelRefused, match=f"{nodes[0].op_type} node '{nodes[0].name}'"):
        imported(around(nodes, constants=numbers), tmp_path)


@pytest.mark.parametrize("axis", [0, 1])
def test_numbers_that_depend_on_the_lengths(axis: int, tmp_path: Path) -> None:
    """A step has one step, and any batch: their lengths must not get into the numbers."""
    nodes = [
        node("Shape", "h", "shape", start=axis, end=axis + 1),
        node("Cast", "shape", "length", to=TensorProto.FLOAT),
        node("Div", "h length", "y"),
    ]
    if axis == 0:
        with pytest.raises(ModelRefused, match="depends on how many sequences a batch has"):
            imported(around(after=nodes), tmp_path)
        return
    engine = imported(around(after=nodes), tmp_path)
    assert not engine.manifest.sessions
    assert "depends on the length of the sequence" in str(engine.manifest.reason)


def test_one_sequence_that_becomes_several(tmp_path: Path) -> None:
    nodes = [node("Expand", "h several", "y")]
    several = {"several": np.array([2, 1, 1])}
    model = around(after=nodes, shape=(1, "time", INPUTS), constants=several)
    with pytest.raises(ModelRefused, match="Expand node 'y' expands an axis of batch to 2"):
        imported(model, tmp_path)


def test_a_gru_that_runs_over_the_last_step_alone(tmp_path: Path) -> None:
    nodes = [node("Slice", "x begin end one", "a")]
    numbers = {"begin": np.array([-1]), "end": np.array([2**31 - 1])}
    model = around(nodes, output=(None, 1, 4), constants=numbers)
    engine = imported(model, tmp_path, BY_TIME)
    assert engine.manifest.reason == "no GRU node behind the output 'y' runs through time"
    x = np.random.default_rng(0).standard_normal((2, 5, INPUTS)).astype(np.float32)
    expected = run(model.SerializeToString(), x=x)["y"]
    assert_agrees(engine.whole(x), expected[:, 0].astype(np.float64))


def test_a_state_that_is_fed_to_a_gru_of_the_last_step(tmp_path: Path) -> None:
    nodes = [node("Slice", "x begin end one", "a")]
    numbers = {"begin": np.array([-1]), "end": np.array([2**31 - 1])}
    model = around(nodes, output=(None, 1, 4), constants=numbers)
    gru = next(one for one in model.graph.node if one.op_type == "GRU")
    gru.input.extend(["", "state"])
    shape: list[int | str | None] = [1, "batch", 4]
    model.graph.input.append(helper.make_tensor_value_info("state", TensorProto.FLOAT, shape))
    model.graph.output.append(helper.make_tensor_value_info("Y_h", TensorProto.FLOAT, shape))
    with pytest.raises(ModelRefused, match="GRU node 'gru' begins with a state that is fed back"):
        imported(model, tmp_path, BY_TIME)


def test_an_attribute_that_the_converter_forgets(tmp_path: Path) -> None:
    """Pad had its number as an attribute, whatever its mode."""
    pads = [0, 0, 1, 0, 0, 1]
    model = around([node("Pad", "x", "a", mode="edge", pads=pads, value=0.0)], opset=7)
    for tensor in model.graph.initializer:
        if tensor.name == "W":
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.ones((1, 12, 5), np.float32), "W"))
    assert imported(model, tmp_path).manifest.sessions


def test_an_operator_that_does_not_take_one_step(tmp_path: Path) -> None:
    """Nothing that the output needs, but ONNX Runtime runs it."""
    unused = [
        node("Transpose", "x", "turned", perm=[0, 2, 1]),
        node("Conv", "turned kernel", "unused"),
        node("Identity", "x", "a"),
    ]
    model = around(unused, constants={"kernel": np.ones((1, INPUTS, 3), np.float32)})
    with pytest.raises(ModelRefused, match=r"cannot run it on x \[3, \d, 3\]: .*'unused'"):
        imported(model, tmp_path)


def test_a_state_that_all_states_are_returned_beside(tmp_path: Path) -> None:
    """Both outputs of nn.GRU have three axes, and hidden states in them."""
    model = around()
    gru = next(one for one in model.graph.node if one.op_type == "GRU")
    gru.input.extend(["", "h0"])
    shape: list[int | str | None] = [1, "batch", 4]
    model.graph.input.append(helper.make_tensor_value_info("h0", TensorProto.FLOAT, shape))
    model.graph.output.append(helper.make_tensor_value_info("Y_h", TensorProto.FLOAT, shape))
    engine = imported(model, tmp_path)
    assert not engine.manifest.constants
    assert [one.name for one in engine.manifest.state] == ["gru"]


def test_a_state_that_may_be_fed_from_two_outputs(tmp_path: Path) -> None:
    """Their shapes are the same, and neither bears its name."""
    model = around()
    gru = next(one for one in model.graph.node if one.op_type == "GRU")
    gru.input.extend(["", "begin"])
    model.graph.node.append(node("Identity", "Y_h", "twice"))
    shape: list[int | str | None] = [1, "batch", 4]
    model.graph.input.append(helper.make_tensor_value_info("begin", TensorProto.FLOAT, shape))
    for name in ("Y_h", "twice"):
        model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    with pytest.raises(ModelRefused, match=r"'begin' may be fed from any of the outputs .*--state"):
        imported(model, tmp_path)
    assert imported(model, tmp_path, Hints(states={"twice": "begin"})).manifest.sessions


def test_a_single_step_that_begins_from_zeros_every_time(tmp_path: Path) -> None:
    model = around(shape=("batch", 1, INPUTS))
    with pytest.raises(ModelRefused, match=r"one step at a time, and .* 'y' .* --state"):
        imported(model, tmp_path, BY_TIME)
    with pytest.raises(ModelRefused, match=r"may be any of its axes 1, 2; .*--time-axis"):
        imported(model, tmp_path)


def test_a_window_with_an_answer_more_than_it_has_steps(tmp_path: Path) -> None:
    nodes = [
        node("Transpose", "h", "turned", perm=[0, 2, 1]),
        node("Conv", "turned kernel", "longer", pads=[1, 2]),
        node("Transpose", "longer", "y", perm=[0, 2, 1]),
    ]
    kernel = {"kernel": np.ones((2, 4, 3), np.float32)}
    model = around(after=nodes, shape=("batch", 12, INPUTS), constants=kernel)
    with pytest.raises(ModelRefused, match="the output 'y' has 13 steps where the file fixes 12"):
        imported(model, tmp_path)


def test_a_gru_whose_input_has_another_rank(tmp_path: Path) -> None:
    flat = node("ReduceMean", "x axes", "flat_x", keepdims=0)
    model = around([flat, node("Identity", "x", "a")], constants={"axes": np.array([2])})
    gru = next(one for one in model.graph.node if one.op_type == "GRU")
    gru.input[0] = "flat_x"
    with pytest.raises(ModelRefused, match="GRU node 'gru' cannot be computed"):
        imported(model, tmp_path)
