"""One real service for all tests that only talk to it."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.service_process import ServiceProcess, running_service

MAX_BODY_BYTES = 100_000


@pytest.fixture(scope="session")
def service(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    folder = tmp_path_factory.mktemp("service")
    store = f"sqlite:///{folder / 'sessions.db'}"
    flags = ("--max-body-bytes", str(MAX_BODY_BYTES))
    with running_service(repository, store, folder / "log", *flags) as process:
        yield process


@pytest.fixture(scope="session")
def client(service: ServiceProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=30) as client:
        yield client
