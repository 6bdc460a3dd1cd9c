"""`FillForward` written out: as a step with its segment of the state, and over whole sequences."""

from collections.abc import Sequence

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from onnx import helper

from model_export.rewrite.graphs import Graphs, write_graphs
from model_export.rewrite.normalise import normalise
from model_export.rewrite.roles import Hints, find_roles
from model_export.rewrite.rules.filling import DOMAIN, FILL_FORWARD
from tests.oracle import assert_agrees, run_layer
from tests.unit.model_export.gru_models import FIRST, INPUTS, Float32, finished, run

NAN = float("nan")


@pytest.fixture(scope="module")
def graphs() -> Graphs:
    """Missing values take the last one's place on the way to a layer of 4."""
    nodes = [
        helper.make_node("Transpose", ["x"], ["by_time"], perm=[1, 0, 2]),
        helper.make_node(FILL_FORWARD, ["by_time"], ["filled"], "values", domain=DOMAIN),
        helper.make_node("GRU", ["filled", "W1", "R1", "B1"], ["y1"], "gru", hidden_size=4),
        helper.make_node("Squeeze", ["y1", "one"], ["h1"]),
        helper.make_node("Concat", ["h1", "filled"], ["both"], axis=2),
        helper.make_node("Transpose", ["both"], ["y"], perm=[1, 0, 2]),
    ]
    constants = {"one": np.array([1]), "W1": FIRST.W, "R1": FIRST.R, "B1": FIRST.B}
    model = finished(nodes, constants)
    model.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    model.graph.output[0].type.tensor_type.shape.dim[2].dim_value = 4 + INPUTS
    normal = normalise(model)
    return write_graphs(normal, find_roles(normal, Hints()))


def filled_by_hand(x: Float32, last: Float32) -> Float32:
    """x [B, T, F] one step after the other, from `last` [B, F] on."""
    rows = []
    for row in x.transpose(1, 0, 2):
        last = np.where(np.isnan(row), last, row)
        rows.append(last)
    return np.stack(rows, axis=1)


def stepped(graphs: Graphs, x: Float32, state: Float32) -> tuple[Float32, Float32]:
    """Outputs [B, T, 7] and the last state of the step graph."""
    assert graphs.step is not None
    outputs = []
    for t in range(x.shape[1]):
        found = run(graphs.step, input=x[:, t], state=state)
        outputs.append(found["output"])
        state = found["next_state"]
    return np.stack(outputs, axis=1), state


def rows(*columns: Sequence[float]) -> Float32:
    """[1, T, 3] of the values of every column."""
    return np.array(columns, np.float32).T[None]


CASES = {
    "nothing is missing": rows([1, 2, 3], [4, 5, 6], [7, 8, 9]),
    "at the beginning": rows([NAN, 2, NAN], [NAN, NAN, 6], [7, 8, 9]),
    "long gaps": rows([1] + [NAN] * 40, [NAN] * 20 + [5] + [NAN] * 20, list(range(41))),
    "everything is missing": rows([NAN] * 5, [NAN] * 5, [NAN] * 5),
    "a single step": rows([NAN], [1], [2]),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("begun", [False, True])
def test_step_and_sequence_fill_alike(graphs: Graphs, case: str, begun: bool) -> None:
    """From a new session, whose last values are zeros, and from one that has seen some."""
    assert [piece.name for piece in graphs.segments] == ["gru", "values/last"]
    x = CASES[case]
    state = np.zeros((1, 7), np.float32)
    if begun:
        state[:, 4:] = [[10, 20, 30]]
    expected = filled_by_hand(x, state[:, 4:])
    assert graphs.sequence is not None
    whole = run(graphs.sequence, input=x, state=state)
    outputs, after = stepped(graphs, x, state)
    for found in (whole["output"], outputs):
        np.testing.assert_array_equal(found[..., 4:], expected)
        hidden = run_layer(FIRST.layer("before"), expected)["hidden"].reshape(1, -1, 4)
        assert_agrees(found[..., :4], hidden.reshape(found[..., :4].shape))
    np.testing.assert_array_equal(after[:, 4:], expected[:, -1])
    np.testing.assert_array_equal(whole["states"][..., 4:], expected)


@settings(max_examples=40, derandomize=True)
@given(
    x=arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 3), st.integers(1, 12), st.just(INPUTS)),
        elements=st.one_of(st.just(float("nan")), st.integers(-9, 9).map(float)),
    ),
    cut=st.integers(0, 12),
)
def test_the_last_values_are_carried_from_chunk_to_chunk(
    graphs: Graphs, x: Float32, cut: int
) -> None:
    assert graphs.sequence is not None
    state = np.zeros((len(x), 7), np.float32)
    expected = filled_by_hand(x, state[:, 4:])
    found = []
    for chunk in np.split(x, [min(cut, x.shape[1])], axis=1):
        if chunk.shape[1]:
            answer = run(graphs.sequence, input=chunk, state=state)
            state = answer["states"][:, -1]
            found.append(answer["output"][..., 4:])
    np.testing.assert_array_equal(np.concatenate(found, axis=1), expected)


def test_no_graph_has_an_operator_that_no_runtime_knows(graphs: Graphs) -> None:
    for graph in (graphs.step, graphs.sequence, graphs.inspect):
        assert graph is not None
        domains = {node.domain for node in onnx.load_from_string(graph).graph.node}
        assert domains <= {"", "ai.onnx"}
