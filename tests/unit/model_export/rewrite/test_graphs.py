"""Rewriting models that were not made here: what works, and what is refused by name."""

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from model_export.errors import ModelRefused
from model_export.rewrite.graphs import Graphs, write_graphs
from model_export.rewrite.normalise import normalise
from model_export.rewrite.roles import Hints, find_roles
from tests.oracle import assert_agrees
from tests.unit.model_export.gru_models import (
    FIRST,
    HEAD,
    INPUTS,
    SECOND,
    Float32,
    run,
    stacked_model,
)

AFTER = {"linear_before_reset": 1}


def rewritten(model: onnx.ModelProto) -> Graphs:
    normal = normalise(model)
    return write_graphs(normal, find_roles(normal, Hints()))


def step_of(graphs: Graphs) -> bytes:
    assert graphs.step is not None
    return graphs.step


def sequence_of(graphs: Graphs) -> bytes:
    assert graphs.sequence is not None
    return graphs.sequence


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
    return rewritten(model)


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
    assert [piece.shape for piece in graphs.segments] == [(1, 4), (1, 5)]
    layers = graphs.roles.analysis.layers
    assert [layer.name for layer in layers] == ["gru_one", "gru_two"]
    assert {layer.gru.reset for layer in layers} == {reset}
    assert graphs.opset == 20


@pytest.mark.parametrize(("batch", "time"), [(1, 1), (1, 7), (4, 7)])
def test_sequence_graph(graphs: Graphs, reset: str, batch: int, time: int) -> None:
    x, state = inputs(batch, time), states(batch)
    found = run(sequence_of(graphs), input=x, state=state)
    expected = by_the_equations(reset, x, state)
    assert list(found) == ["output", "states"]
    assert_agrees(found["output"], expected["output"])
    assert_agrees(found["states"], expected["next_state"])


@pytest.mark.parametrize("batch", [1, 4])
def test_step_graph(graphs: Graphs, reset: str, batch: int) -> None:
    x, state = inputs(batch, 7), states(batch)
    expected = by_the_equations(reset, x, state)
    for t in range(7):
        found = run(step_of(graphs), input=x[:, t], state=state)
        state = found["next_state"]
        assert found.keys() == expected.keys()
        for name, values in found.items():
            assert_agrees(values, expected[name][:, t])


def test_from_zeros_it_is_the_model_as_it_was(model: onnx.ModelProto, graphs: Graphs) -> None:
    x = inputs(3, 6)
    original = run(model.SerializeToString(), x=x)
    found = run(sequence_of(graphs), input=x, state=np.zeros((3, 9), np.float32))
    assert_agrees(found["output"], original["y"])


def test_the_gru_is_written_out_in_the_step_graph_alone(graphs: Graphs) -> None:
    step = [node.op_type for node in onnx.load_from_string(step_of(graphs)).graph.node]
    sequence = [node.op_type for node in onnx.load_from_string(sequence_of(graphs)).graph.node]
    assert "GRU" not in step
    assert sequence.count("GRU") == 2


def test_the_model_itself_is_left_as_it_was(model: onnx.ModelProto) -> None:
    before = model.SerializeToString()
    normal = normalise(model)
    kinds = [node.op_type for node in normal.graph]
    write_graphs(normal, find_roles(normal, Hints()))
    assert model.SerializeToString() == before
    assert [node.op_type for node in normal.graph] == kinds


@pytest.mark.parametrize("taken", ["state", "output", "reset", "states"])
def test_names_that_the_graphs_need_for_themselves(taken: str) -> None:
    model = stacked_model()
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [taken if name == "between" else name for name in names]
    found = run(sequence_of(rewritten(model)), input=inputs(2, 3), state=states(2))
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
    found = run(sequence_of(rewritten(model)), input=x, state=np.zeros((2, 9), np.float32))
    assert_agrees(found["output"], run(zeroed.SerializeToString(), x=x)["y"])
    step = run(step_of(rewritten(model)), input=x[:, 0], state=np.zeros((2, 9), np.float32))
    assert_agrees(step["output"], found["output"][:, 0])


def equals_the_original(model: onnx.ModelProto) -> None:
    """On every prefix, step after step."""
    x = inputs(2, 6)
    graphs = rewritten(model)
    state = np.zeros((2, 9), np.float32)
    for t in range(6):
        found = run(step_of(graphs), input=x[:, t], state=state)
        state = found["next_state"]
        expected = run(model.SerializeToString(), x=x[:, : t + 1])["y"][:, -1]
        assert_agrees(found["output"], expected)


@pytest.mark.parametrize(
    "attributes",
    [
        {"clip": 0.5},
        {"clip": 0.5, **AFTER},
        {"activations": ["Sigmoid", "Relu"]},
        {"activations": ["HardSigmoid", "Tanh"]},
        {"activations": ["HardSigmoid", "Softsign"], **AFTER},
        {
            "activations": ["HardSigmoid", "Affine"],
            "activation_alpha": [0.1, 0.7],
            "activation_beta": [0.4, 0.1],
        },
        {
            "activations": ["Sigmoid", "ScaledTanh"],
            "activation_alpha": [0.8],
            "activation_beta": [1.2],
        },
        {"direction": "forward", "activations": ["Sigmoid", "Tanh"], "layout": 0},
        AFTER,
    ],
)
def test_whatever_the_operator_can_do(attributes: dict[str, Any]) -> None:
    """Also both reset variants in one model: the first layer's is "before"."""
    equals_the_original(stacked_model(second=attributes))


def test_a_gru_that_needs_what_is_yet_to_come() -> None:
    model = stacked_model(second={"direction": "reverse"})
    graphs = rewritten(model)
    assert graphs.step is None
    assert "GRU node 'gru_two' runs reverse through time" in str(graphs.why_whole)
    x = inputs(2, 6)
    found = run(sequence_of(graphs), input=x)["output"]
    assert_agrees(found, run(model.SerializeToString(), x=x)["y"])


def test_weights_that_do_not_fit() -> None:
    """Two directions, and all else made for one."""
    with pytest.raises(ModelRefused, match=r"Op \(Squeeze\).* must be 1 instead of 2"):
        rewritten(stacked_model(first={"direction": "bidirectional"}))


def test_sequence_lens_of_one_batch() -> None:
    model = stacked_model()
    node = next(node for node in model.graph.node if node.name == "gru_two")
    node.input.append("lengths")
    lengths = helper.make_tensor("lengths", onnx.TensorProto.INT32, [1], [3])
    model.graph.initializer.append(lengths)
    with pytest.raises(ModelRefused, match=r"gru_two.* sequences of different lengths"):
        rewritten(model)


@pytest.mark.parametrize("weight", ["W2", "R2", "B2"])
def test_weights_that_nodes_compute(weight: str) -> None:
    """They are the same for every session, and computed once and for all."""
    model, stored = stacked_model(), stacked_model()
    node = next(node for node in model.graph.node if node.name == "gru_two")
    node.input[:] = ["computed" if name == weight else name for name in node.input]
    model.graph.node.insert(0, helper.make_node("Neg", [weight], ["computed"]))
    equals_the_original(model)
    for tensor in stored.graph.initializer:
        if tensor.name == weight:
            array = -numpy_helper.to_array(tensor)
            tensor.CopyFrom(numpy_helper.from_array(array, weight))
    equals_the_original(stored)


def test_a_model_without_a_gru() -> None:
    model = stacked_model()
    del model.graph.node[:]
    model.graph.node.append(helper.make_node("MatMul", ["x", "small"], ["y"]))
    model.graph.initializer.append(
        helper.make_tensor("small", onnx.TensorProto.FLOAT, [INPUTS, 2], [0.0] * 6)
    )
    with pytest.raises(ModelRefused, match="the model has no GRU node and no recurrence"):
        rewritten(model)
