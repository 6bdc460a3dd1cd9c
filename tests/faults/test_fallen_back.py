"""Redis comes back with an older file: nothing is applied twice, and nobody goes on unawares."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from service.engine.engine import Engine
from tests.faults.client import Client
from tests.faults.deployment import ReplicasOnRestoredRedis, on_redis
from tests.faults.fallen_writer import FallenWriter
from tests.faults.fault_run import Load, fault_run
from tests.faults.figures import Figures
from tests.faults.http_connection import Answer
from tests.faults.requests import Numbers, Request, RequestMaker, read_state
from tests.faults.schedule import Schedule
from tests.faults.undisturbed import Undisturbed, difference, numbers_of
from tests.faults.writer import NOT_KEPT
from tests.redis_server import RedisServer

FAULTS = {"restore Redis": 5, "kill service": 2, "kill Redis": 1}


class _Writing:
    """The writer of one session, whose keys have numbers, and what it knows of it."""

    def __init__(self, engine: Engine) -> None:
        self._numbers, self._maker = Numbers(Random(3)), RequestMaker(engine, Random(4))
        self._engine = engine

    async def begin(self, client: Client) -> None:
        made = await client.ask(self._maker.create())
        assert made.status == 201, made
        self._session_id = made.content()["session_id"]
        state = numbers_of((await self.look(client)).content())["state"]
        self.expected = Undisturbed(self._engine, state, 0)

    def draw(self, at: int | None = None) -> Request:
        request = self._maker.steps(self._session_id, at=at)
        request.key = self._numbers.next()
        return request

    async def step(self, client: Client, at: int | None = None) -> Request:
        """It is applied, from where the session is expected to be."""
        request = self.draw(at)
        answer = await client.ask(request)
        assert answer.status == 200, answer
        wrong = difference(numbers_of(answer.content()), self.expected.apply(request, {}))
        assert wrong is None, wrong
        assert answer.content()["step"] == self.expected.step
        return request

    async def look(self, client: Client) -> Answer:
        return await client.ask(read_state(self._session_id))

    async def check(self, client: Client) -> Answer:
        shown = await self.look(client)
        assert shown.content()["step"] == self.expected.step
        wrong = difference(numbers_of(shown.content()), {"state": self.expected.state})
        assert wrong is None, wrong
        return shown


async def test_a_session_that_fell_back_says_so_until_its_state_is_named(
    repository: Path, engines: Sequence[Engine], tmp_path: Path, figures: Figures
) -> None:
    """Two services on a Redis that comes back with an older file."""
    async with on_redis(repository, tmp_path, figures, replicas=2) as deployment:
        one, other = (replica.port for replica in deployment.replicas)
        with (
            closing(Client([one], Random(1), figures, 10.0)) as stepping,
            closing(Client([other], Random(2), figures, 10.0)) as beside,
        ):
            writing = _Writing(engines[0])
            await writing.begin(beside)
            for _ in range(3):
                await writing.step(stepping)
            kept = writing.expected.step, writing.expected.state
            deployment.redis.copy_data(tmp_path / "copy")
            lost = [await writing.step(stepping) for _ in range(2)]
            lost_step = writing.expected.step
            refused = writing.draw()
            await _put_back(deployment.redis, tmp_path / "copy", stepping, refused)

            # The service that has a copy notices, and then every service says so.
            for client in (stepping, beside, stepping, beside):
                answer = await client.ask(refused)
                assert (answer.status, answer.code) == (409, "session_fell_back"), answer
                said = answer.content()
                assert (said["step"], said["lost_step"]) == (kept[0], lost_step)
            writing.expected.step, writing.expected.state = kept
            shown = await writing.check(beside)
            assert shown.etag == answer.etag, "the refusal says what can be named"
            await writing.step(beside, at=kept[0])
            # It is named: everybody goes on.
            for client in (stepping, beside, stepping):
                await writing.step(client)
            # Whoever still tries what was lost is too late for its number.
            for request in (*lost, refused):
                late = await beside.ask(request)
                assert (late.status, late.code) == (409, NOT_KEPT), late
            for client in (stepping, beside):
                await writing.check(client)


async def _put_back(redis: RedisServer, copy: Path, client: Client, request: Request) -> None:
    """Kill Redis, and start it with an older file; what a service has seen is not forgotten while
    its store is away."""
    redis.kill()
    for _ in range(3):
        assert "503" in str(await client.attempt(request))
    redis.put_back(copy)
    redis.start()


@pytest.mark.timeout(240)
async def test_under_load(
    repository: Path, engines: Sequence[Engine], tmp_path: Path, figures: Figures
) -> None:
    """Three services on a Redis that comes back with older files."""
    load = Load(steps=3000, seed=5, kinds=(FallenWriter,))
    restored = ReplicasOnRestoredRedis
    async with on_redis(repository, tmp_path, figures, kind=restored) as deployment:
        await fault_run(deployment, Schedule(FAULTS), load, engines, figures)
    assert len(figures.restores) == FAULTS["restore Redis"]
    assert figures.fell_back["by session_fell_back"] > 0
