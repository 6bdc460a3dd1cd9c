"""The service in this process, as a client meets it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from service.app import create_app
from service.repository.models import Models
from service.settings import Settings
from service.stores.memory import MemoryStore


@asynccontextmanager
async def served(
    repository: Path, models: Models, **settings: object
) -> AsyncIterator[httpx.AsyncClient]:
    """With a store in memory."""
    given = Settings.model_validate({"repository": repository, "store": "memory://"} | settings)
    transport = httpx.ASGITransport(create_app(given, models, MemoryStore()))
    async with httpx.AsyncClient(transport=transport, base_url="http://gatewise") as client:
        yield client
