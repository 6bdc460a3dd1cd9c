"""Every kind of network that training makes, through the real export and publication."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from model_export import publish
from model_export.draft import Draft
from model_export.errors import ModelRefused
from model_export.package import draft_of
from model_export.trained import TrainedModel
from service.bundle.bundle import read_bundle
from service.bundle.manifest import STEP_FILE, WEIGHTS_FILE
from service.engine.engine import Engine
from service.engine.provider import Provider
from tests.bundles import models_of_every_kind, plain_report
from tests.oracle import assert_agrees


@pytest.fixture(scope="module", params=models_of_every_kind(), ids=lambda one: one.name)
def trained(request: pytest.FixtureRequest) -> TrainedModel:
    model: TrainedModel = request.param
    return model


@pytest.fixture(scope="module")
def draft(trained: TrainedModel) -> Draft:
    """Exporting takes seconds: once for all that is done with it."""
    return draft_of(trained)


@pytest.fixture(autouse=True)
def _plain_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model_export.publish.write_report", plain_report)


def asked_of_pytorch(
    trained: TrainedModel, inputs: NDArray[np.generic]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    network = trained.network.eval()
    with torch.no_grad():
        output, states = network(torch.from_numpy(inputs), network.initial_state(len(inputs)))
    return output.numpy(), states.numpy()


def test_a_session_answers_as_the_network(
    trained: TrainedModel, draft: Draft, tmp_path: Path
) -> None:
    """Step by step and all at once; the gaps are part of the sample."""
    bundle = read_bundle(publish.publish(draft, tmp_path))
    assert bundle.manifest.input == trained.input
    assert bundle.manifest.output == trained.output
    assert WEIGHTS_FILE in bundle.manifest.files
    engine = Engine(bundle, Provider())
    inputs = trained.sample[None, :24]
    output, states = asked_of_pytorch(trained, inputs)
    state = engine.initial_states(1)
    assert state.shape[1] == trained.network.config.state_size
    for t in range(inputs.shape[1]):
        steps = engine.step(inputs[:, t], state, gates=False)
        state = steps.state
        scale = np.maximum(1, np.abs(output).max(axis=(0, 1)))
        assert_agrees(steps.output / scale, output[:, t] / scale)
        assert_agrees(np.sort(state), np.sort(states[:, t]))


def test_a_graph_with_another_bias_is_refused(draft: Draft, tmp_path: Path) -> None:
    model = onnx.load_from_string(draft.graphs[STEP_FILE])
    tensor = next(one for one in model.graph.initializer if one.name.endswith("head.bias"))
    array = numpy_helper.to_array(tensor).copy()
    array.flat[-1] += np.float32(0.1)
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    graphs = {**draft.graphs, STEP_FILE: model.SerializeToString()}
    with pytest.raises(ModelRefused, match="of a single step: off by"):
        publish.publish(replace(draft, graphs=graphs), tmp_path)
    assert list(tmp_path.rglob("*")) == []


def test_golden_vectors_have_gaps_where_numbers_may_be_missing(
    trained: TrainedModel, draft: Draft
) -> None:
    has_gaps = getattr(trained.input, "missing", False)
    assert np.isnan(draft.golden["input"].astype(float)).any() == has_gaps
    assert np.isfinite(draft.golden["output"]).all()


def test_a_label_that_is_hardly_ever_on_is_as_exact_as_the_others(tmp_path: Path) -> None:
    """As a key that no chorale uses: 1e-7 is told from 2e-7."""
    (model,) = (one for one in models_of_every_kind() if one.name == "labels")
    with torch.no_grad():
        model.network.head.bias[-1] = -16
    publish.publish(draft_of(model), tmp_path)
