"""A service hangs with a request in its socket, while the client goes on elsewhere.

When it goes on, the request is the first try of one that was applied long ago.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, closing
from pathlib import Path
from random import Random

import numpy as np
import orjson
import pytest

from service.engine.engine import Engine
from service.sessions.receipts import KEPT_RECEIPTS
from tests.faults.client import Client
from tests.faults.deployment import Replicas, on_redis, on_sqlite
from tests.faults.figures import Figures
from tests.faults.history import History
from tests.faults.http_connection import Answer, opened
from tests.faults.replica import Replica
from tests.faults.requests import Numbers, Request, RequestMaker, read_state
from tests.faults.writer import NOT_KEPT, check_stored

NEWER = (3, 9, 30)
HEALTH = Request("read", "GET", "/health/live")
Services = Callable[..., AbstractAsyncContextManager[Replicas]]


@pytest.mark.parametrize("services", [on_sqlite, on_redis])
async def test_a_numbered_request_is_not_applied_again_however_late(
    services: Services,
    repository: Path,
    engines: Sequence[Engine],
    tmp_path: Path,
    figures: Figures,
) -> None:
    """Two services on one store, one of which hangs."""
    async with services(repository, tmp_path, figures, replicas=2) as deployment:
        hanging, other = deployment.replicas
        with closing(Client([other.port], Random(1), figures, 10.0)) as client:
            for newer in NEWER:
                writing = _Writing(client, engines[0], figures, Random(newer))
                late, first = await writing.with_a_late_try(hanging, newer)
                if newer < KEPT_RECEIPTS:
                    assert (late.status, late.replayed, late.body) == (200, True, first.body)
                else:
                    assert (late.status, late.code) == (409, NOT_KEPT), late
                    assert "applied_step" not in late.content(), "its receipt is gone"
                # Whether it was applied is seen everywhere, and the client goes on.
                await writing.step()
                for port in (other.port, hanging.port):
                    await writing.check(port)


class _Writing:
    """The writer of one session, whose keys have numbers."""

    def __init__(self, client: Client, engine: Engine, figures: Figures, random: Random) -> None:
        self._client = client
        self._figures = figures
        self._engine = engine
        self._maker = RequestMaker(engine, random)
        self._numbers = Numbers(random)
        self._history: History | None = None

    async def with_a_late_try(self, hanging: Replica, newer: int) -> tuple[Answer, Answer]:
        """The answer to the first try, which comes last; and that to the second, which comes first
        and is followed by so many newer requests."""
        await self._begin()
        async with opened(hanging.port) as connection:
            assert (await connection.exchange(HEALTH.encoded())).status == 200
            hanging.freeze()
            try:
                request = self._draw()
                connection.send(request.encoded())
                first = await self.step(request)
                for _ in range(newer):
                    await self.step()
            finally:
                hanging.thaw()
            return await connection.receive(), first

    async def step(self, request: Request | None = None) -> Answer:
        request = self._draw() if request is None else request
        answer = await self._client.ask(request)
        assert answer.status == 200, answer
        self.history.add(request, answer)
        self.history.finish()
        return answer

    async def check(self, port: int) -> None:
        """The session is that of its requests, each applied once."""
        async with opened(port) as connection:
            answer = await connection.exchange(read_state(self.history.session_id).encoded())
        check_stored(self.history, answer)

    @property
    def history(self) -> History:
        assert self._history is not None
        return self._history

    async def _begin(self) -> None:
        body = {"model": self._maker.manifest.name}
        request = Request("create", "POST", "/v1/sessions", orjson.dumps(body), self._maker.key())
        answer = await self._client.ask(request)
        state = np.zeros(self._maker.manifest.state_size, np.float32)
        self._history = History(request, answer, self._engine, self._figures, state=state)

    def _draw(self) -> Request:
        request = self._maker.steps(self.history.session_id)
        request.key = self._numbers.next()
        return request
