"""Looking inside one time step, and setting gates from outside."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from model_export.command_line import main
from service.bundle.folders import read_version
from service.engine.engine import Engine
from service.engine.inspection import TERMS, Inspection, SetGate
from service.engine.provider import Provider
from service.repository.models import Models
from tests.foreign import write_all

MODELS = ("weather", "weather-deep", "letters", "letters-deep")
BATCH = 9


def rows(engine: Engine) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Inputs and states of a batch."""
    random = np.random.default_rng(0)
    states = random.uniform(-1, 1, (BATCH, engine.manifest.state_size)).astype(np.float32)
    return engine.example[:BATCH], states


def inspection_of(engine: Engine) -> Inspection:
    assert engine.inspection is not None
    assert engine.inspection is engine.inspection
    return engine.inspection


@pytest.mark.parametrize("model", MODELS)
def test_it_shows_what_the_step_graph_does(models: Models, model: str) -> None:
    engine = models.default(model)
    inputs, states = rows(engine)
    found = inspection_of(engine).look(inputs, states)
    expected = engine.step(inputs, states, gates=True)
    assert expected.gates is not None
    np.testing.assert_allclose(found.output, expected.output, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found.state, expected.state, atol=1e-6)
    for name in engine.manifest.shown_names:
        np.testing.assert_allclose(found.tensors[name], expected.gates[name], atol=1e-6)
    np.testing.assert_array_equal(found.tensors["before"], states)
    assert set(found.tensors) == {*engine.manifest.shown_names, "before", *TERMS}
    assert [len(given) for given in found.layer_inputs] == [BATCH] * len(engine.manifest.layers)


@pytest.mark.parametrize("gate", ["reset", "update", "candidate"])
def test_a_gate_that_is_set(models: Models, gate: str) -> None:
    engine = models.default("weather-deep")
    inputs, states = rows(engine)
    shape = (BATCH, engine.manifest.gate_size)
    mask = np.zeros(shape, np.float32)
    mask[3, 5] = 1
    value = np.full(shape, 0.25, np.float32)
    plain = inspection_of(engine).look(inputs, states).tensors
    found = inspection_of(engine).look(inputs, states, {gate: SetGate(mask, value)}).tensors
    assert found[gate][3, 5] == 0.25
    # The others of the first layer; the layers above see what came of it.
    others = np.s_[:3, :6] if gate == "candidate" else np.s_[:, :5]
    np.testing.assert_allclose(found[gate][others], plain[gate][others], atol=1e-6)
    update, candidate, before = (found[name] for name in ("update", "candidate", "before"))
    np.testing.assert_allclose(
        found["hidden"], (1 - update) * before + update * candidate, atol=1e-6
    )


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("imported")
    files = write_all(folder)
    for name in ("lanes", "windowed"):
        given = ["import-onnx", str(files[name]), "--name", name]
        result = CliRunner().invoke(main, [*given, "--repository", str(folder / "models")])
        assert result.exit_code == 0, result.output
    yield folder / "models"


@pytest.mark.parametrize("name", ["lanes", "windowed"])
def test_models_of_others(imported: Path, name: str) -> None:
    """Whose hidden states may be elsewhere than at the beginning of the session's state."""
    engine = Engine(read_version(imported / name / "1"), Provider())
    inputs = engine.example
    state = engine.initial_states(1)
    _, states = engine.sequence(inputs[np.newaxis], state)
    before = np.concatenate([state, states[0, :-1]])
    found = inspection_of(engine).look(inputs, before)
    update, candidate = found.tensors["update"], found.tensors["candidate"]
    hidden = (1 - update) * found.tensors["before"] + update * candidate
    np.testing.assert_allclose(found.tensors["hidden"], hidden, atol=1e-5)
    gates = engine.gates_of(inputs, state[0], states[0])
    for gate in engine.manifest.shown_names:
        np.testing.assert_allclose(found.tensors[gate], gates[gate], atol=1e-5)


def test_a_version_without_the_graph_has_none(models: Models) -> None:
    engine = models.default("weather")
    files = {
        name: digest
        for name, digest in engine.manifest.files.items()
        if name not in ("inspect.onnx", "cells.npz")
    }
    manifest = engine.manifest.model_copy(update={"files": files})
    bare = Engine(type(engine.bundle)(engine.bundle.folder, manifest), Provider())
    assert bare.inspection is None
    assert not bare.cells
