"""Services on a store that runs out of room under load, and gets it back."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random

from tests.contract.sqlite.disks import small_disk
from tests.faults.deployment import Replicas, breaking, on_redis, on_sqlite
from tests.faults.figures import Figures
from tests.faults.http_connection import opened
from tests.faults.replica import DEADLINE_SECONDS, Replica
from tests.faults.requests import Request
from tests.faults.schedule import Fault

FULL = "503 store_full"
_REFUSALS = 30
_POLL_SECONDS = 0.02


class Filling:
    """The fault: `take` takes all room of the store, `give` gives it back."""

    def __init__(
        self, deployment: Replicas, take: Callable[[], object], give: Callable[[], object]
    ) -> None:
        self.lanes = deployment.lanes
        self.logs = deployment.logs
        self.faults: Mapping[str, Fault] = {"fill store": self._fill}
        self._lock = asyncio.Lock()
        self._deployment = deployment
        self._figures = deployment.figures
        self._take = take
        self._give = give

    def processes(self) -> list[int]:
        """The services by their ids, all of them alive."""
        return [replica.living_pid() for replica in self._deployment.replicas]

    async def _fill(self, random: Random) -> None:
        """Full until many changes were refused; every service shows sessions meanwhile."""
        async with breaking(self._lock, random):
            self._figures.fault("fill store", "")
            refused = self._figures.retries[FULL]
            await asyncio.to_thread(self._take)
            try:
                await self._wait_for_refusals(refused + _REFUSALS)
                for replica in self._deployment.replicas:
                    await _check_reading(replica)
            finally:
                await asyncio.to_thread(self._give)
            self._figures.note("gave room")

    async def _wait_for_refusals(self, count: int) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                if self._figures.retries[FULL] >= count:
                    return
                await asyncio.sleep(_POLL_SECONDS)


async def _check_reading(replica: Replica) -> None:
    async with opened(replica.port) as connection:
        listed = await connection.exchange(_get("/v1/sessions?limit=1"))
        assert listed.status == 200, listed
        (session,) = listed.content()["sessions"]
        state = await connection.exchange(_get(f"/v1/sessions/{session['session_id']}/state"))
        assert state.status == 200, state


def _get(path: str) -> bytes:
    return Request("read", "GET", path).encoded()


@asynccontextmanager
async def on_small_disk(repository: Path, folder: Path, figures: Figures) -> AsyncIterator[Filling]:
    """Services on a SQLite file, on a disk that somebody else's file takes up."""
    with small_disk(folder, "32m") as disk:
        ballast = disk / "ballast"
        async with on_sqlite(repository, folder, figures, file=disk / "sessions.db") as deployment:
            yield Filling(deployment, lambda: _take_all(ballast), ballast.unlink)


@asynccontextmanager
async def on_small_redis(
    repository: Path, folder: Path, figures: Figures
) -> AsyncIterator[Filling]:
    """Services on a Redis that is allowed less memory than it has already."""
    async with on_redis(repository, folder, figures) as deployment:
        redis = deployment.redis
        yield Filling(
            deployment,
            lambda: redis.ask("CONFIG", "SET", "maxmemory", "1mb"),
            lambda: redis.ask("CONFIG", "SET", "maxmemory", "0"),
        )


def _take_all(ballast: Path) -> None:
    """Write until nothing more goes, while others write too."""
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            with suppress(OSError):
                while file.write(b"x" * size):
                    pass
