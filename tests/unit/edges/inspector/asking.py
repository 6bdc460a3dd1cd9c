"""What a client asks about traces, in a line each."""

from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

from tests.e2e.requests import inputs_for

STEPS = 50
Query = str | float


def drawn(model: str, steps: int = STEPS, seed: int = 0) -> NDArray[Any]:
    """Inputs as the service reads them."""
    values = inputs_for(model, steps, seed)
    return np.array(values, np.float32 if model.startswith("weather") else np.int64)


async def traced(client: httpx.AsyncClient, **body: object) -> dict[str, Any]:
    answer = await client.post("/v1/traces", json=body)
    assert answer.status_code == 201, answer.text
    described: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/v1/traces/{described['trace_id']}"
    return described


async def shown(
    client: httpx.AsyncClient, trace_id: str, view: str, **query: Query
) -> dict[str, Any]:
    answer = await client.get(f"/v1/traces/{trace_id}/{view}", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def refused(client: httpx.AsyncClient, path: str, status: int, **query: Query) -> str:
    answer = await client.get(path, params=query)
    assert answer.status_code == status, answer.text
    said: str = answer.json()["detail"]
    return said
