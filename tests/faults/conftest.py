"""The engines of the small models, and what a run counts."""

from collections.abc import Iterator, Sequence

import pytest

from service.engine.engine import Engine
from service.engine.models import Models
from tests.faults.figures import Figures


@pytest.fixture(scope="session")
def engines(models: Models) -> Sequence[Engine]:
    return list(models)


@pytest.fixture
def figures(
    request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> Iterator[Figures]:
    """What a run counts; printed when it is over, under the first line of the test's docstring."""
    counted = Figures()
    yield counted
    counted.show(request.function.__doc__.splitlines()[0], capsys)
