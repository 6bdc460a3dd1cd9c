"""The engines of the small models."""

from collections.abc import Sequence

import pytest

from service.engine.engine import Engine
from service.repository.models import Models


@pytest.fixture(scope="session")
def engines(models: Models) -> Sequence[Engine]:
    return list(models)
