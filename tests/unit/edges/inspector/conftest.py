"""The service in this process, for all who ask it about the small models."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from service.repository.models import Models
from tests.unit.edges.inspector.service import served


@pytest.fixture
async def client(repository: Path, models: Models) -> AsyncIterator[httpx.AsyncClient]:
    async with served(repository, models) as client:
        yield client
