"""One node of a Redis Cluster is silent: sessions on the others go on as if nothing were."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from tests.faults.http_connection import opened
from tests.faults.replica import Replica
from tests.faults.requests import Request
from tests.redis_server import RedisCluster, RedisServer, running

SESSIONS = 30
TIMEOUT_SECONDS = 6.0
SILENT_SECONDS = 3.0
STEP = orjson.dumps({"inputs": [[20.0, 1000.0, 0.5]]})


@pytest.fixture
async def service(repository: Path, tmp_path: Path) -> AsyncIterator[tuple[Replica, RedisCluster]]:
    cluster = RedisCluster(tmp_path / "cluster")
    with running(cluster):
        service = Replica(
            tmp_path / "service.log",
            *("--repository", str(repository), "--store", cluster.url),
            *("--store-timeout-seconds", str(TIMEOUT_SECONDS), "--drain-seconds", "0"),
        )
        try:
            await service.start()
            yield service, cluster
        finally:
            service.kill()


class _Client:
    """Steps one session again and again."""

    def __init__(self, session_id: str, port: int) -> None:
        self.steps = 0
        self.longest_wait = 0.0
        self._request = Request("steps", "POST", f"/v1/sessions/{session_id}/steps", STEP).encoded()
        self._port = port

    async def write_until(self, over: asyncio.Event) -> None:
        time = asyncio.get_running_loop().time
        async with opened(self._port) as connection:
            while not over.is_set():
                began = time()
                answer = await connection.exchange(self._request)
                self.longest_wait = max(self.longest_wait, time() - began)
                assert answer.status == 200, answer
                self.steps += 1
                assert answer.content()["step"] == self.steps


async def test_sessions_on_other_nodes_do_not_wait_for_a_silent_one(
    service: tuple[Replica, RedisCluster],
) -> None:
    replica, cluster = service
    clients = [await _created(replica, f"session-{number}") for number in range(SESSIONS)]
    silent = cluster.nodes[1]
    over = asyncio.Event()
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for client in clients:
            group.create_task(client.write_until(over))
        await asyncio.sleep(0.5)
        with silent.frozen():
            await asyncio.sleep(SILENT_SECONDS)
        over.set()
    waited = [client for client in clients if client.longest_wait > SILENT_SECONDS * 0.9]
    others = [client for client in clients if client not in waited]
    assert len(waited) == _sessions_on(silent)
    assert len(others) > SESSIONS / 3
    assert max(client.longest_wait for client in others) < SILENT_SECONDS / 2


async def _created(replica: Replica, session_id: str) -> _Client:
    body = orjson.dumps({"model": "weather", "session_id": session_id})
    async with opened(replica.port) as connection:
        create = Request("create", "POST", "/v1/sessions", body).encoded()
        assert (await connection.exchange(create)).status == 201
    return _Client(session_id, replica.port)


def _sessions_on(node: RedisServer) -> int:
    keys = node.ask("KEYS", "gatewise:*:session:*")
    assert isinstance(keys, list)
    return len(keys)
