"""Many clients at once: nobody's step is lost, doubled, or given to somebody else."""

import asyncio
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.bundles import served_models
from tests.e2e.requests import floats, inputs_for
from tests.oracle import Oracle, assert_agrees
from tests.service_process import ServiceProcess, running_service

NETWORKS = {trained.name: trained.network for trained in served_models()}
TIME = 12


async def play(client: httpx.AsyncClient, model: str, seed: int) -> None:
    """A session of one's own among the others: all counts and all outputs are right."""
    inputs = inputs_for(model, TIME, seed)
    trace = Oracle(NETWORKS[model]).run(
        np.array([inputs]), np.zeros((1, NETWORKS[model].config.state_size))
    )
    created = await client.post("/v1/sessions", json={"model": model})
    path = created.headers["location"]
    for t, one in enumerate(inputs):
        answer = await client.post(f"{path}/steps", json={"inputs": [one], "gates": t % 2 == 0})
        assert answer.json()["step"] == t + 1
        assert_agrees(floats(answer.json()["outputs"]), trace.output[0, t : t + 1])
    state = (await client.get(f"{path}/state")).json()
    assert_agrees(floats(state["state"]), trace.state[0])


async def test_many_sessions_of_all_models(service: ServiceProcess) -> None:
    async with httpx.AsyncClient(base_url=service.url, timeout=30) as client:
        await asyncio.gather(*(play(client, m, seed) for m in NETWORKS for seed in range(10)))


async def test_many_clients_of_one_session(service: ServiceProcess) -> None:
    async with httpx.AsyncClient(base_url=service.url, timeout=30) as client:
        created = await client.post("/v1/sessions", json={"model": "weather"})
        path = created.headers["location"]

        async def step() -> int:
            body = {"inputs": [[20, 1000, 0.5]]}
            return int((await client.post(f"{path}/steps", json=body)).json()["step"])

        counts = await asyncio.gather(*(step() for _ in range(60)))
        assert sorted(counts) == list(range(1, 61))
        assert (await client.get(path)).json()["step"] == 60


async def test_bad_requests_do_not_touch_their_neighbours(service: ServiceProcess) -> None:
    async with httpx.AsyncClient(base_url=service.url, timeout=30) as client:

        async def fail() -> None:
            for _ in range(TIME):
                answer = await client.post(
                    "/v1/sessions/nobody/steps", json={"inputs": [[1, 2, 3]]}
                )
                assert answer.status_code == 404

        await asyncio.gather(*(play(client, "weather", seed) for seed in range(10)), fail(), fail())


@pytest.mark.parametrize("clients", [8])
async def test_two_processes_on_one_file(repository: Path, tmp_path: Path, clients: int) -> None:
    """Every step of every client is counted once, whichever process it went through."""
    store = f"sqlite:///{tmp_path / 'sessions.db'}"
    with (
        running_service(repository, store, tmp_path / "first") as first,
        running_service(repository, store, tmp_path / "second") as second,
    ):
        async with httpx.AsyncClient(timeout=30) as client:
            created = await client.post(f"{first.url}/v1/sessions", json={"model": "weather"})
            path = created.headers["location"]

            async def step(url: str) -> int | None:
                body = {"inputs": [[20, 1000, 0.5]]}
                answer = await client.post(f"{url}{path}/steps", json=body)
                assert answer.status_code in (200, 409), answer.text
                return int(answer.json()["step"]) if answer.status_code == 200 else None

            urls = [first.url, second.url] * clients
            counts = [c for c in await asyncio.gather(*map(step, urls)) if c is not None]
            assert len(counts) >= len(urls) // 2, "a step is redone ten times before it gives up"
            assert sorted(counts) == list(range(1, len(counts) + 1))
            assert (await client.get(f"{second.url}{path}")).json()["step"] == len(counts)
