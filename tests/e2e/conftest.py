"""One real service for all tests that only talk to it."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.service_process import ServiceProcess, running_service

MAX_BODY_BYTES = 100_000
FRONTS = {"direct": "service", "plain": "tests.plain_service"}
"""Both ways that a request may take through the service, and the modules that run it so."""


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


@pytest.fixture(scope="session")
def fronts(
    repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, ServiceProcess]]:
    """A service for each way, which say in their logs all that they can."""
    said = ("--access-log", "true", "--log-level", "debug")
    flags = (*said, "--max-body-bytes", str(MAX_BODY_BYTES))
    with ExitStack() as running:
        processes = {}
        for name, module in FRONTS.items():
            folder = tmp_path_factory.mktemp(name)
            store = f"sqlite:///{folder / 'sessions.db'}"
            one = running_service(repository, store, folder / "log", *flags, module=module)
            processes[name] = running.enter_context(one)
        yield processes
