"""Rewriting models that were not made here: what works, and what is refused by name."""

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper

from model_export.errors import ExportError
from model_export.rewrite.graphs import Graphs, rewrite
from tests.oracle import assert_agrees
from tests.unit.model_export.gru_models import (
    FIRST,
    HEAD,
    INPUTS,
    SECOND,
    Float32,
    as_ir,
    run,
    stacked_model,
)

AFTER = {"linear_before_reset": 1}


def inputs(batch: int, time: int) -> Float32:
    drawn = np.random.default_rng(0).normal(size=(batch, time, INPUTS))
    return drawn.astype(np.float32)


def states(batch: int) -> Float32:
    return np.random.default_rng(1).uniform(-1, 1, (batch, 9)).astype(np.float32)


@pytest.fixture(scope="module", params=["before", "after"])
def reset(request: pytest.FixtureRequest) -> str:
    variant: str = request.param
    return variant


@pytest.fixture(scope="module")
def model(reset: str) -> onnx.ModelProto:
    attributes = AFTER if reset == "after" else {}
    return stacked_model(first=attributes, second=attributes)


@pytest.fixture(scope="module")
def graphs(model: onnx.ModelProto) -> Graphs:
    return rewrite(as_ir(model))


def by_the_equations(reset: str, x: NDArray[Any], state: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """The model above in float64: all outputs of the step graph by time."""
    layers = (FIRST.layer(reset), SECOND.layer(reset))
    h1, h2 = state[:, :4].astype(np.float64), state[:, 4:].astype(np.float64)
    steps = []
    for x_t in x.astype(np.float64).transpose(1, 0, 2):
        r1, z1, n1, h1 = layers[0].step(0.5 * x_t, h1)
        r2, z2, n2, h2 = layers[1].step(np.tanh(h1), h2)
        pairs = ((h1, h2), (r1, r2), (z1, z2), (n1, n2))
        steps.append([h2 @ HEAD, *(np.concatenate(pair, axis=1) for pair in pairs)])
    names = ("output", "next_state", "reset", "update", "candidate")
    return {
        name: np.stack(arrays, axis=1)
        for name, arrays in zip(names, zip(*steps, strict=True), strict=True)
    }


def test_what_the_manifest_will_say(graphs: Graphs, reset: str) -> None:
    assert graphs.hidden_sizes == (4, 5)
    assert graphs.reset == reset
    assert graphs.opset == 20


@pytest.mark.parametrize(("batch", "time"), [(1, 1), (1, 7), (4, 7)])
def test_sequence_graph(graphs: Graphs, reset: str, batch: int, time: int) -> None:
    x, state = inputs(batch, time), states(batch)
    found = run(graphs.sequence, input=x, state=state)
    expected = by_the_equations(reset, x, state)
    assert list(found) == ["output", "states"]
    assert_agrees(found["output"], expected["output"])
    assert_agrees(found["states"], expected["next_state"])


@pytest.mark.parametrize("batch", [1, 4])
def test_step_graph(graphs: Graphs, reset: str, batch: int) -> None:
    x, state = inputs(batch, 7), states(batch)
    expected = by_the_equations(reset, x, state)
    for t in range(7):
        found = run(graphs.step, input=x[:, t], state=state)
        state = found["next_state"]
        assert found.keys() == expected.keys()
        for name, values in found.items():
            assert_agrees(values, expected[name][:, t])


def test_from_zeros_it_is_the_model_as_it_was(model: onnx.ModelProto, graphs: Graphs) -> None:
    x = inputs(3, 6)
    original = run(model.SerializeToString(), x=x)
    found = run(graphs.sequence, input=x, state=np.zeros((3, 9), np.float32))
    assert_agrees(found["output"], original["y"])


def test_the_gru_is_written_out_in_the_step_graph_alone(graphs: Graphs) -> None:
    step = [node.op_type for node in onnx.load_from_string(graphs.step).graph.node]
    sequence = [node.op_type for node in onnx.load_from_string(graphs.sequence).graph.node]
    assert "GRU" not in step
    assert sequence.count("GRU") == 2


def test_the_model_itself_is_left_as_it_was(model: onnx.ModelProto) -> None:
    read = as_ir(model)
    before = [node.op_type for node in read.graph]
    rewrite(read)
    assert [node.op_type for node in read.graph] == before
    assert [value.name for value in (*read.graph.inputs, *read.graph.outputs)] == ["x", "y"]


@pytest.mark.parametrize("taken", ["state", "output", "reset", "states"])
def test_names_that_the_graphs_need_for_themselves(taken: str) -> None:
    model = stacked_model()
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [taken if name == "between" else name for name in names]
    found = run(rewrite(as_ir(model)).sequence, input=inputs(2, 3), state=states(2))
    assert_agrees(found["output"], by_the_equations("before", inputs(2, 3), states(2))["output"])


@pytest.mark.parametrize("left_out", ["B1", "B2"])
def test_a_gru_without_biases(left_out: str) -> None:
    model, zeroed = stacked_model(), stacked_model()
    for node in model.graph.node:
        node.input[:] = [name for name in node.input if name != left_out]
    for tensor in zeroed.graph.initializer:
        if tensor.name == left_out:
            tensor.raw_data = bytes(len(tensor.raw_data))
    x = inputs(2, 5)
    found = run(rewrite(as_ir(model)).sequence, input=x, state=np.zeros((2, 9), np.float32))
    assert_agrees(found["output"], run(zeroed.SerializeToString(), x=x)["y"])
    step = run(rewrite(as_ir(model)).step, input=x[:, 0], state=np.zeros((2, 9), np.float32))
    assert_agrees(step["output"], found["output"][:, 0])


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"direction": "reverse"}, "runs reverse through time"),
        ({"clip": 3.0}, "clips its pre-activations"),
        ({"layout": 1}, "has layout=1"),
        ({"activations": ["Sigmoid", "Relu"]}, "uses the activations sigmoid, relu instead"),
        ({"activations": ["HardSigmoid", "Tanh"]}, "uses the activations hardsigmoid, tanh"),
    ],
)
def test_an_unusual_gru_is_refused_by_its_name(attributes: dict[str, Any], words: str) -> None:
    with pytest.raises(ExportError, match=f"GRU node 'gru_two' {words}"):
        rewrite(as_ir(stacked_model(second=attributes)))


def test_usual_attributes_that_are_written_out() -> None:
    written = {"direction": "forward", "activations": ["Sigmoid", "Tanh"], "layout": 0}
    assert rewrite(as_ir(stacked_model(first=written))).hidden_sizes == (4, 5)


def test_a_bidirectional_gru() -> None:
    model = stacked_model(first={"direction": "bidirectional"})
    with pytest.raises(ExportError, match="GRU node 'gru_one' runs bidirectional through time"):
        rewrite(as_ir(model))


def test_sequence_lens() -> None:
    model = stacked_model()
    node = next(node for node in model.graph.node if node.name == "gru_two")
    node.input.append("lengths")
    lengths = helper.make_tensor("lengths", onnx.TensorProto.INT32, [1], [3])
    model.graph.initializer.append(lengths)
    with pytest.raises(ExportError, match="GRU node 'gru_two' has sequence_lens"):
        rewrite(as_ir(model))


@pytest.mark.parametrize("weight", ["W2", "R2", "B2"])
def test_weights_that_are_computed(weight: str) -> None:
    model = stacked_model()
    node = next(node for node in model.graph.node if node.name == "gru_two")
    node.input[:] = ["computed" if name == weight else name for name in node.input]
    model.graph.node.insert(0, helper.make_node("Neg", [weight], ["computed"]))
    with pytest.raises(ExportError, match="GRU node 'gru_two': computed is computed, not stored"):
        rewrite(as_ir(model))


def test_both_reset_variants_in_one_model() -> None:
    with pytest.raises(ExportError, match="mixes reset before and reset after"):
        rewrite(as_ir(stacked_model(second=AFTER)))


def test_a_model_without_a_gru() -> None:
    model = stacked_model()
    del model.graph.node[:]
    model.graph.node.append(helper.make_node("MatMul", ["x", "small"], ["y"]))
    model.graph.initializer.append(
        helper.make_tensor("small", onnx.TensorProto.FLOAT, [INPUTS, 2], [0.0] * 6)
    )
    with pytest.raises(ExportError, match="the model has no GRU node at the top level"):
        rewrite(as_ir(model))
