"""Files that Keras 2 and 3 wrote, against what Keras itself answered.

Recorded by `tests/variety/keras_models/write_models.py`, with TensorFlow 2.15.1 for Keras 2.
"""

from pathlib import Path

import onnx
import pytest

from model_export.imports.keras import read_keras
from tests.keras_files import Written, assert_reads_as_keras_answers, written_in

RECORDED = Path(__file__).parent / "recorded"
WRITTEN = [*written_in(RECORDED / "keras_2"), *written_in(RECORDED / "keras_3")]


def sizes(value: onnx.ValueInfoProto) -> list[str | int]:
    return [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]


@pytest.mark.parametrize("written", WRITTEN, ids=lambda written: written.file.name)
def test_answers_are_those_of_keras(written: Written) -> None:
    original = assert_reads_as_keras_answers(written)
    onnx.checker.check_model(original.model, full_check=True)
    assert original.framework.startswith(f"Keras {written.file.parent.name[-1]}.")


def test_a_window_has_its_length_and_the_batch_is_free() -> None:
    graph = read_keras(RECORDED / "keras_3" / "mixed_names.keras").model.graph
    assert sizes(graph.input[0]) == ["batch", 12, 3]
    assert sizes(graph.output[0]) == ["batch", 3]


def test_time_is_free_where_the_file_leaves_it_so() -> None:
    graph = read_keras(RECORDED / "keras_3" / "initial_state.keras").model.graph
    assert {value.name: sizes(value) for value in (*graph.input, *graph.output)} == {
        "input": ["batch", "time", 3],
        "start": ["batch", 4],
        "output": ["batch", "time", 2],
        "gru": ["batch", 4],
    }


def test_what_only_acts_in_training_is_mentioned() -> None:
    notes = read_keras(RECORDED / "keras_2" / "hard_gates.h5").notes
    assert notes == ("Left out, since they only act in training: dropout (Dropout).",)


def test_gru_nodes_say_what_keras_says() -> None:
    """The first layer applies the reset gate before, the second one after the product."""
    graph = read_keras(RECORDED / "keras_2" / "hard_gates.h5").model.graph
    nodes = [node for node in graph.node if node.op_type == "GRU"]
    first, second = (
        {a.name: onnx.helper.get_attribute_value(a) for a in n.attribute} for n in nodes
    )
    assert (first["linear_before_reset"], second["linear_before_reset"]) == (0, 1)
    assert first["activations"] == [b"HardSigmoid", b"Tanh"]
    assert first["activation_alpha"] == pytest.approx([0.2])
    assert first["activation_beta"] == pytest.approx([0.5])
