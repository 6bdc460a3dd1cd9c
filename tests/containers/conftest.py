"""Images built from this checkout. Where no Docker runs, these tests are left out."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from service.bundle.folders import read_repository
from service.engine.engine import Engine
from service.engine.provider import Provider
from service.repository.models import load_models
from tests.containers.docker import is_running
from tests.containers.stack import IMAGES, Stack, stack
from tests.system_programs import leave_out


@pytest.fixture(scope="session")
def images() -> dict[str, str]:
    """The images' names, by target."""
    if not is_running():
        leave_out("a running Docker (docker info)")
    Stack("gatewise-test-build").compose("build", "--quiet", profile="replicas")
    serve, train, balancer = IMAGES.values()
    return {"serve": serve, "train": train, "balancer": balancer}


@pytest.fixture(scope="session")
def image(images: dict[str, str]) -> str:
    """The image that serves."""
    return images["serve"]


@pytest.fixture(scope="module")
def single(images: dict[str, str], demo_repository: Path) -> Iterator[Stack]:
    """`docker compose up`, with the demo models there already."""
    assert images
    with stack("single") as made:
        made.take_models(demo_repository)
        made.compose("up", "--detach", "--wait", "--no-build")
        yield made


@pytest.fixture(scope="module")
def replicas(images: dict[str, str], demo_repository: Path) -> Iterator[Stack]:
    """`docker compose --profile replicas up`, with the demo models there already."""
    assert images
    with stack("replicas") as made:
        made.take_models(demo_repository)
        made.compose("up", "--detach", "--wait", "--no-build", profile="replicas")
        yield made


@pytest.fixture(scope="session")
def demo_engines(demo_repository: Path) -> Sequence[Engine]:
    """What the containers serve, in this process."""
    return list(load_models(read_repository(demo_repository), Provider()))
