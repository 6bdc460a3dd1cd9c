"""Services, and what can go wrong with them and with what they stand on."""

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from os import kill
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from tests.faults.figures import Figures, Restore
from tests.faults.replica import Replica, quiet_port
from tests.faults.schedule import Fault
from tests.redis_server import RedisServer
from tests.tcp_proxy import Cut, TcpProxy
from tests.waiting import wait_until

STORE_TIMEOUT_SECONDS = 0.5
_FLAGS = (
    *("--store-timeout-seconds", str(STORE_TIMEOUT_SECONDS)),
    *("--drain-seconds", "0.2", "--grace-seconds", "5", "--repository-scan-seconds", "0"),
)
_REPLICAS = 3
_LANES_TO_WORKERS = 8
_HANGING_SECONDS = (2.5, 4.0)
_SHORTEST_CALM = 0.3
_LONGEST_CALM = 1.0


@asynccontextmanager
async def breaking(lock: asyncio.Lock, random: Random) -> AsyncIterator[None]:
    """One fault at a time for what the lock stands for; what is mended works for a moment."""
    async with lock:
        yield
        await asyncio.sleep(random.uniform(_SHORTEST_CALM, _LONGEST_CALM))


class Replicas:
    """Services that are killed, terminated and frozen."""

    def __init__(self, replicas: Sequence[Replica], figures: Figures) -> None:
        self.replicas = replicas
        self.figures = figures
        self.lanes = [replica.port for replica in replicas]
        self.faults: Mapping[str, Fault] = {
            "kill service": self._kill,
            "SIGTERM service": self._stop,
            "freeze service": self._freeze,
            "hang service": self._hang,
        }

    def logs(self) -> str:
        return "\n".join(f"port {one.port}:\n{one.log()}" for one in self.replicas)

    async def start(self) -> None:
        await asyncio.gather(*(replica.start() for replica in self.replicas))

    def kill(self) -> None:
        for replica in self.replicas:
            replica.kill()

    async def _kill(self, random: Random) -> None:
        replica = random.choice(self.replicas)
        async with breaking(replica.lock, random):
            self.figures.fault("kill service", f"{replica.port}")
            replica.kill()
            await asyncio.sleep(random.uniform(0, 0.3))
            await self._start(replica)

    async def _stop(self, random: Random) -> None:
        replica = random.choice(self.replicas)
        async with breaking(replica.lock, random):
            self.figures.fault("SIGTERM service", f"{replica.port}")
            await replica.stop()
            await self._start(replica)

    async def _freeze(self, random: Random) -> None:
        replica = random.choice(self.replicas)
        async with breaking(replica.lock, random):
            self.figures.fault("freeze service", f"{replica.port}")
            replica.freeze()
            await asyncio.sleep(random.uniform(0.5, 2.0))
            replica.thaw()
            self.figures.note(f"thawed service {replica.port}")

    async def _hang(self, random: Random) -> None:
        """For so long that clients give up on it, and go on elsewhere with many newer requests."""
        replica = random.choice(self.replicas)
        async with breaking(replica.lock, random):
            self.figures.fault("hang service", f"{replica.port}")
            replica.freeze()
            await asyncio.sleep(random.uniform(*_HANGING_SECONDS))
            replica.thaw()
            self.figures.note(f"thawed service {replica.port}")

    async def _start(self, replica: Replica) -> None:
        await replica.start()
        self.figures.note(f"started service {replica.port}")


class ReplicasOnRedis(Replicas):
    """Services on one Redis, each over a connection of its own that can be cut."""

    def __init__(
        self,
        redis: RedisServer,
        proxies: Sequence[TcpProxy],
        replicas: Sequence[Replica],
        figures: Figures,
    ) -> None:
        super().__init__(replicas, figures)
        self.redis = redis
        self._redis_lock = asyncio.Lock()
        self._proxies = proxies
        self._proxies_lock = asyncio.Lock()
        self.faults = {
            **self.faults,
            "kill Redis": self._kill_redis,
            "freeze Redis": self._freeze_redis,
            **{f"cut {cut.value}": self._cutting(cut) for cut in Cut},
        }

    async def _kill_redis(self, random: Random) -> None:
        async with breaking(self._redis_lock, random):
            self.figures.fault("kill Redis", "")
            await asyncio.to_thread(self.redis.kill)
            await asyncio.sleep(random.uniform(0, 0.5))
            await asyncio.to_thread(self.redis.start)
            self.figures.note("started Redis")

    async def _freeze_redis(self, random: Random) -> None:
        async with breaking(self._redis_lock, random):
            self.figures.fault("freeze Redis", "")
            self.redis.freeze()
            await asyncio.sleep(STORE_TIMEOUT_SECONDS * random.uniform(1.5, 5))
            self.redis.thaw()
            self.figures.note("thawed Redis")

    def _cutting(self, cut: Cut) -> Fault:
        async def fault(random: Random) -> None:
            chosen = self._proxies if random.random() < 0.5 else [random.choice(self._proxies)]
            async with breaking(self._proxies_lock, random):
                self.figures.fault(f"cut {cut.value}", f"{len(chosen)} of {len(self._proxies)}")
                for proxy in chosen:
                    proxy.cut(cut)
                await asyncio.sleep(random.uniform(0.2, 2.0))
                for proxy in chosen:
                    await proxy.heal()
                self.figures.note("healed connections")

        return fault


class ReplicasOnRestoredRedis(ReplicasOnRedis):
    """Services on a Redis that comes back with an older file, again and again."""

    def __init__(
        self,
        redis: RedisServer,
        proxies: Sequence[TcpProxy],
        replicas: Sequence[Replica],
        figures: Figures,
    ) -> None:
        super().__init__(redis, proxies, replicas, figures)
        self.faults = {
            "kill service": self._kill,
            "SIGTERM service": self._stop,
            "kill Redis": self._kill_redis,
            "restore Redis": self._restore_redis,
        }

    async def _restore_redis(self, random: Random) -> None:
        """What is confirmed between a copy and the end of Redis is lost."""
        async with breaking(self._redis_lock, random):
            with TemporaryDirectory() as folder:
                copy, saved_at = Path(folder) / "copy", self.figures.seconds
                await asyncio.to_thread(self.redis.copy_data, copy)
                await asyncio.sleep(random.uniform(0.2, 1.5))
                self.figures.fault("restore Redis", f"as of {saved_at:.3f} s")
                await asyncio.to_thread(self.redis.kill)
                self.redis.put_back(copy)
            self.figures.restores.append(Restore(saved_at, self.figures.seconds))
            await asyncio.to_thread(self.redis.start)
            self.figures.note("started Redis")


class WorkersOnSqlite(Replicas):
    """One service of several worker processes on one file."""

    def __init__(self, service: Replica, figures: Figures) -> None:
        super().__init__([service], figures)
        self.lanes = [service.port] * _LANES_TO_WORKERS
        self.faults = {
            "kill worker": self._kill_worker,
            "freeze worker": self._freeze_worker,
            "hang worker": self._hang_worker,
            "kill service": self._kill_all,
            "SIGTERM service": self._stop,
        }

    async def _kill_worker(self, random: Random) -> None:
        async with breaking(self.replicas[0].lock, random):
            worker = await self._worker(random)
            self.figures.fault("kill worker", f"{worker}")
            kill(worker, signal.SIGKILL)

    async def _freeze_worker(self, random: Random) -> None:
        await self._stop_worker("freeze worker", random, random.uniform(0.3, 1.5))

    async def _hang_worker(self, random: Random) -> None:
        """For so long that clients give up on it, and go on with many newer requests."""
        await self._stop_worker("hang worker", random, random.uniform(*_HANGING_SECONDS))

    async def _stop_worker(self, fault: str, random: Random, seconds: float) -> None:
        async with breaking(self.replicas[0].lock, random):
            worker = await self._worker(random)
            self.figures.fault(fault, f"{worker}")
            kill(worker, signal.SIGSTOP)
            await asyncio.sleep(seconds)
            # One that was dying when it was chosen is gone by now.
            with suppress(ProcessLookupError):
                kill(worker, signal.SIGCONT)
            self.figures.note(f"thawed worker {worker}")

    async def _worker(self, random: Random) -> int:
        """One that lives. On a busy machine there may be none for a moment."""
        living: list[int] = []

        def found() -> bool:
            living.extend(workers_of(self.replicas[0].pid))
            return bool(living)

        await asyncio.to_thread(wait_until, found, lambda: "no worker lives")
        return random.choice(living)

    async def _kill_all(self, random: Random) -> None:
        """The supervisor and all workers at once, as the end of a container."""
        replica = self.replicas[0]
        async with breaking(replica.lock, random):
            self.figures.fault("kill service", "with all workers")
            workers = workers_of(replica.pid)
            replica.kill()
            for worker in workers:
                kill(worker, signal.SIGKILL)
            await asyncio.sleep(random.uniform(0, 0.3))
            await self._start(replica)


@asynccontextmanager
async def on_redis(
    repository: Path,
    folder: Path,
    figures: Figures,
    *,
    replicas: int = _REPLICAS,
    kind: type[ReplicasOnRedis] = ReplicasOnRedis,
) -> AsyncIterator[ReplicasOnRedis]:
    """Several services, and a Redis that has written down what it has confirmed."""
    # With `everysec` Redis confirms before it writes while an fsync is slow.
    redis = RedisServer(folder / "redis", append_only=True, append_fsync="always")
    proxies = [TcpProxy(redis.port, quiet_port()) for _ in range(replicas)]
    services = [
        Replica(
            folder / f"service-{number}.log",
            *("--repository", str(repository), *_FLAGS),
            *("--store", f"redis://127.0.0.1:{proxy.port}/0"),
        )
        for number, proxy in enumerate(proxies)
    ]
    deployment = kind(redis, proxies, services, figures)
    try:
        await asyncio.to_thread(redis.start)
        for proxy in proxies:
            await proxy.start()
        await deployment.start()
        yield deployment
    finally:
        deployment.kill()
        for proxy in proxies:
            proxy.close()
        redis.kill()


@asynccontextmanager
async def on_sqlite(
    repository: Path,
    folder: Path,
    figures: Figures,
    *,
    file: Path | None = None,
    replicas: int = _REPLICAS,
) -> AsyncIterator[Replicas]:
    """Several services on one file, each on a port of its own."""
    store = f"sqlite:///{file or folder / 'sessions.db'}"
    flags = ("--repository", str(repository), *_FLAGS, "--store", store)
    services = [Replica(folder / f"service-{n}.log", *flags) for n in range(replicas)]
    async with _running(Replicas(services, figures)) as deployment:
        yield deployment


@asynccontextmanager
async def on_sqlite_with_workers(
    repository: Path, folder: Path, figures: Figures
) -> AsyncIterator[Replicas]:
    """One service of three worker processes on one file."""
    store = f"sqlite:///{folder / 'sessions.db'}"
    flags = ("--repository", str(repository), *_FLAGS, "--store", store)
    service = Replica(folder / "service.log", *flags, "--workers", str(_REPLICAS))
    async with _running(WorkersOnSqlite(service, figures)) as deployment:
        yield deployment


def workers_of(pid: int) -> list[int]:
    """The worker processes of a supervisor that live, without those that only help it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children if _is_worker(child)]


def _is_worker(pid: str) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
    # One that has ended and was not waited for yet has no command line any more.
    return bool(command) and b"resource_tracker" not in command


@asynccontextmanager
async def _running(deployment: Replicas) -> AsyncIterator[Replicas]:
    try:
        await deployment.start()
        yield deployment
    finally:
        deployment.kill()
