"""Fixtures that several layers of tests share."""

from pathlib import Path

import pytest

from model_export.package import publish
from tests.bundles import tokens_model, values_model


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small models with random weights: both tasks, both reset variants, one and three layers."""
    folder = tmp_path_factory.mktemp("models")
    publish(values_model("weather", reset="before", hidden_sizes=(6,)), folder)
    publish(values_model("weather-deep", reset="after", hidden_sizes=(6, 4, 5)), folder)
    publish(tokens_model("letters", reset="after", hidden_sizes=(6,)), folder)
    publish(tokens_model("letters-deep", reset="before", hidden_sizes=(6, 4, 5)), folder)
    return folder
