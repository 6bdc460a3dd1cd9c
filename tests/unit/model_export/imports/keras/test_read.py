"""What a Keras file says about state, precision and names, and how it is carried over."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from model_export.errors import ModelRefused
from model_export.imports.keras import read_keras
from tests.unit.model_export.imports.keras.altered import FUNCTIONAL, Config, altered, layer

GRUS = ("gru_1", "gru", "a_last_one")


def input_sizes(file: Path) -> list[str | int]:
    given = read_keras(file).model.graph.input[0]
    return [dim.dim_param or dim.dim_value for dim in given.type.tensor_type.shape.dim]


def stateful(config: Config) -> None:
    for name in GRUS:
        layer(config, name)["stateful"] = True


def test_a_stateful_model_takes_any_number_of_steps(tmp_path: Path) -> None:
    """It goes on where the last call ended, so the length of its calls means nothing."""
    file = altered(tmp_path, config=stateful)
    assert input_sizes(file) == ["batch", "time", 3]
    (note,) = read_keras(file).notes
    assert note.startswith("Stateful layers (gru_1, gru, a_last_one) start from zero")


def test_a_state_that_only_some_layers_keep_is_refused(tmp_path: Path) -> None:
    def change(config: Config) -> None:
        layer(config, "gru_1")["stateful"] = True

    with pytest.raises(ModelRefused, match=r"'gru_1' is stateful .* layer 'gru' is not"):
        read_keras(altered(tmp_path, config=change))


def test_a_state_that_runs_backward_is_refused(tmp_path: Path) -> None:
    def change(config: Config) -> None:
        stateful(config)
        layer(config, "gru")["go_backwards"] = True

    with pytest.raises(ModelRefused, match="layer 'gru': it is stateful and runs backward"):
        read_keras(altered(tmp_path, config=change))


def test_another_precision_is_mentioned(tmp_path: Path) -> None:
    def change(config: Config) -> None:
        layer(config, "gru")["dtype"] = {"config": {"name": "mixed_float16"}}

    (note,) = read_keras(altered(tmp_path, config=change)).notes
    assert note.startswith("The file asks for mixed_float16; everything is computed in float32")


def test_the_sequence_comes_first_and_names_are_given_once(tmp_path: Path) -> None:
    """A state that the model lists first, and whose layer has the name of the sequence."""

    def change(config: Config) -> None:
        text = config["config"]
        text["input_layers"] = [["input", 0, 0], text["input_layers"][0]]
        for entry in text["layers"]:
            if entry["name"] == "start":
                entry["name"] = entry["config"]["name"] = "input"
            for call in entry["inbound_nodes"]:
                state = call["kwargs"].get("initial_state")
                if state:
                    state["config"]["keras_history"][0] = "input"

    def rename(root: h5py.File) -> None:
        root["layers/input_layer_1/vars"].attrs["name"] = "input"

    graph = read_keras(altered(tmp_path, config=change, weights=rename, of=FUNCTIONAL)).model.graph
    assert [value.name for value in graph.input] == ["input", "input_2"]
    assert [value.name for value in graph.output] == ["output", "gru"]


def test_answers_need_every_input() -> None:
    original = read_keras(FUNCTIONAL)
    with pytest.raises(ModelRefused, match="also needs the input 'start'"):
        original.answer({"input": np.zeros((1, 2, 3))})


def test_answers_of_prefixes_are_those_of_whole_sequences() -> None:
    """The reading takes any length, so that it can be compared after every step."""
    original = read_keras(FUNCTIONAL)
    rng = np.random.default_rng(0)
    x, start = rng.normal(size=(2, 6, 3)), rng.normal(size=(2, 4))
    whole = original.answer({"input": x, "start": start})["output"]
    for steps in range(1, 7):
        part = original.answer({"input": x[:, :steps], "start": start})["output"]
        np.testing.assert_allclose(part, whole[:, :steps], rtol=1e-12)
