"""Every combination of task, reset variant and depth, in PyTorch, as engine and as oracle."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from model_export.model.config import TokensFront
from model_export.model.network import Network
from model_export.package import publish_trained
from service.bundle.folders import read_repository
from service.engine.engine import Engine
from service.engine.provider import Provider
from service.repository.models import Models, load_models
from tests.bundles import complementary_models, plain_report, served_models
from tests.oracle import Oracle, Trace

ALL_MODELS = {trained.name: trained for trained in (*served_models(), *complementary_models())}


@dataclass(frozen=True, slots=True)
class Case:
    """One model three times."""

    network: Network
    oracle: Oracle
    engine: Engine

    def inputs(self, random: np.random.Generator, batch: int, time: int) -> NDArray[Any]:
        """Numbers of the size that the model was made for."""
        front = self.network.config.front
        if isinstance(front, TokensFront):
            return random.integers(0, front.size, (batch, time))
        drawn = random.normal(front.mean, front.scale, (batch, time, front.width))
        return drawn.astype(np.float32)

    def states(self, random: np.random.Generator, batch: int, bound: float) -> NDArray[np.float32]:
        size = self.network.config.state_size
        return random.uniform(-bound, bound, (batch, size)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Run:
    """Inputs, the state before them, and what the oracle makes of both."""

    inputs: NDArray[Any]
    state: NDArray[np.float32]
    expected: Trace


@pytest.fixture(scope="session")
def all_models(models: Models, tmp_path_factory: pytest.TempPathFactory) -> Models:
    folder: Path = tmp_path_factory.mktemp("complementary")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("model_export.publish.write_report", plain_report)
        for trained in complementary_models():
            publish_trained(trained, folder)
    others = load_models(read_repository(folder), Provider())
    return Models([*models, *others])


@pytest.fixture(scope="session", params=ALL_MODELS)
def case(request: pytest.FixtureRequest, all_models: Models) -> Case:
    network = ALL_MODELS[request.param].network.requires_grad_(False)
    return Case(network, Oracle(network), all_models.default(request.param))
