"""What can go wrong with the replicas stack, and what its operator does with it under load."""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from functools import partial
from random import Random

from tests.containers.docker import inspect
from tests.containers.stack import PATIENCE_SECONDS, Stack, is_healthy
from tests.faults.deployment import breaking
from tests.faults.figures import Figures
from tests.faults.schedule import Fault
from tests.waiting import wait_until

NEW_REVISION = "upgraded-under-load"
_LANES = 8
_REPLICAS = 3


class ReplicasStack:
    """The stack as `tests.faults` sees a deployment: lanes to its balancer, and faults."""

    def __init__(self, stack: Stack, figures: Figures) -> None:
        self.stack = stack
        self.figures = figures
        self.lanes = [stack.port] * _LANES
        self.faults: Mapping[str, Fault] = {
            "kill replica": self._kill_replica,
            "kill Redis": self._kill_redis,
            "kill balancer": self._kill_balancer,
            "restart Redis": self._restart_redis,
            "scale": self._scale,
            "upgrade": self._upgrade,
        }
        self._replicas = asyncio.Lock()
        self._redis = asyncio.Lock()
        self._balancer = asyncio.Lock()

    def logs(self) -> str:
        return self.stack.logs()

    async def _kill_replica(self, random: Random) -> None:
        async with breaking(self._replicas, random):
            await self._kill("replica", random)

    async def _kill_redis(self, random: Random) -> None:
        async with breaking(self._redis, random):
            await self._kill("redis", random)

    async def _kill_balancer(self, random: Random) -> None:
        async with breaking(self._balancer, random):
            await self._kill("balancer", random)

    async def _kill(self, service: str, random: Random) -> None:
        """kill -9 the main process; the restart policy has to bring the container back."""
        container = random.choice(await asyncio.to_thread(self.stack.containers, service))
        before = (await asyncio.to_thread(inspect, container))["State"]
        self.figures.fault(f"kill {service}", container[:12])
        os.kill(before["Pid"], signal.SIGKILL)
        await _until(partial(_is_back, container, before["Pid"]))

    async def _restart_redis(self, random: Random) -> None:
        async with breaking(self._redis, random):
            self.figures.fault("restart Redis", "")
            await asyncio.to_thread(self.stack.compose, "restart", "redis", profile="replicas")

    async def _scale(self, random: Random) -> None:
        """From three to two, to four, and back."""
        async with breaking(self._replicas, random):
            for count in (_REPLICAS - 1, _REPLICAS + 1, _REPLICAS):
                self.figures.fault("scale", f"to {count}")
                await asyncio.to_thread(self._scale_to, count)
                await _until(partial(self._are_healthy, count))

    async def _upgrade(self, random: Random) -> None:
        """The image is built anew, and every replica replaced by one of the new image."""
        async with breaking(self._replicas, random):
            self.figures.fault("upgrade", NEW_REVISION)
            await asyncio.to_thread(self._build_and_replace)

    def _build_and_replace(self) -> None:
        compose = self.stack.compose
        revision = f"REVISION={NEW_REVISION}"
        compose("build", "--quiet", "--build-arg", revision, "replica", profile="replicas")
        self.stack.run("deploy/upgrade.sh")

    def _scale_to(self, count: int) -> None:
        flags = ("--detach", "--no-deps", "--no-build", "--no-recreate")
        self.stack.compose(
            "up", *flags, "--scale", f"replica={count}", "replica", profile="replicas"
        )

    def _are_healthy(self, count: int) -> bool:
        containers = self.stack.containers("replica")
        return len(containers) == count and all(map(is_healthy, containers))


def _is_back(container: str, killed: int) -> bool:
    """Whether the container is healthy again, with another main process."""
    return is_healthy(container) and inspect(container)["State"]["Pid"] != killed


async def _until(holds: Callable[[], bool]) -> None:
    """Fails after the deadline."""
    await asyncio.to_thread(wait_until, holds, lambda: "it does not come back", PATIENCE_SECONDS)
