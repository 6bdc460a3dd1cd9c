"""What a balancer hears while the store fails, hangs and comes back."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.redis_server import RedisServer, running
from tests.service_process import ServiceProcess, running_service

STORE_TIMEOUT_SECONDS = 1.0


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path / "redis")
    with running(server):
        yield server


@pytest.fixture
def service(repository: Path, redis: RedisServer, tmp_path: Path) -> Iterator[ServiceProcess]:
    flags = ("--store-timeout-seconds", str(STORE_TIMEOUT_SECONDS))
    with running_service(repository, redis.url, tmp_path / "log", *flags) as process:
        yield process


@pytest.fixture
def client(service: ServiceProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=10) as client:
        yield client


def wait_for_status(client: httpx.Client, status: int) -> httpx.Response:
    deadline = time.monotonic() + 15
    while (answer := client.get("/health/ready")).status_code != status:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.02)
    return answer


def test_a_store_that_is_gone(client: httpx.Client, redis: RedisServer) -> None:
    redis.kill()
    answer = wait_for_status(client, 503)
    assert answer.json()["code"] == "store_unavailable"
    assert answer.headers["content-type"] == "application/problem+json"
    assert client.get("/health/live").status_code == 200
    redis.start()
    wait_for_status(client, 200)


def test_a_store_that_hangs(client: httpx.Client, redis: RedisServer) -> None:
    with redis.frozen():
        frozen = time.monotonic()
        answer = wait_for_status(client, 503)
        assert answer.json()["code"] == "store_unavailable"
        assert re.search("did not answer|has not answered", answer.json()["detail"])
        # Known as soon as the first access has run out of time, and for as long as it hangs.
        assert time.monotonic() - frozen < 3 * STORE_TIMEOUT_SECONDS
        while time.monotonic() - frozen < 5 * STORE_TIMEOUT_SECONDS:
            asked = time.monotonic()
            assert client.get("/health/ready").status_code == 503
            assert client.get("/health/live").status_code == 200
            assert time.monotonic() - asked < STORE_TIMEOUT_SECONDS
    wait_for_status(client, 200)


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_head(client: httpx.Client, redis: RedisServer, path: str) -> None:
    answer = client.head(path)
    assert (answer.status_code, answer.content) == (200, b"")
    assert client.post(path).headers["allow"] == "GET, HEAD"
    redis.kill()
    wait_for_status(client, 503)
    assert client.head(path).status_code == (200 if path == "/health/live" else 503)
