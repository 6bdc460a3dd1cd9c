"""Inputs that float32 can hold, but that a model's arithmetic cannot."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model_export.model.config import ValuesFront
from model_export.model.network import Network
from model_export.package import publish_trained
from service.bundle.folders import read_repository
from service.engine.provider import Provider
from service.errors import InvalidInput
from service.repository.models import Models, load_models
from tests.bundles import plain_report, values_model
from tests.contract.sessions import read, same
from tests.unit.sessions.steps import answered, holding, request, stepper, weather


@pytest.fixture(scope="module")
def small_units(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Models]:
    """A model whose inputs are divided by a tenth."""
    trained = values_model("small")
    front = ValuesFront(mean=(0.0, 0.0, 0.0), scale=(0.1, 0.1, 0.1))
    network = Network(replace(trained.network.config, front=front))
    folder: Path = tmp_path_factory.mktemp("small")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("model_export.publish.write_report", plain_report)
        publish_trained(replace(trained, network=network), folder)
    yield load_models(read_repository(folder), Provider())


@pytest.mark.parametrize("time", [1, 2])
def test_a_state_that_is_not_finite_is_never_stored(small_units: Models, time: int) -> None:
    before = weather("s", model="small", state=np.zeros(6, np.float32))
    store = holding(before)
    rows = [[3e38, 3e38, -3e38]] * time
    (outcome,) = stepper(small_units, store).run([request("s", rows)])
    assert isinstance(outcome, InvalidInput)
    assert outcome.faults[0].place == ("inputs", 0)
    assert same(read(store), before)


def test_what_is_wrong_is_said_of_a_session_that_is_known_as_well(small_units: Models) -> None:
    """The very record that the store has: read again, it is no other one."""
    store = holding(weather("s", model="small", state=np.zeros(6, np.float32)))
    run = stepper(small_units, store).run
    answered(run([request("s", [[0.1, 0.1, 0.1]])])[0])
    before = read(store)
    for _ in range(2):
        (outcome,) = run([request("s", [[3e38, 3e38, -3e38]])])
        assert isinstance(outcome, InvalidInput)
    assert read(store) is before
