"""`python -m tests.faults.soak`: a long fault run, and its figures as a table in Markdown.

On `redis-restored` Redis comes back with older files, and all clients are such as expect it.
"""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from random import SystemRandom
from tempfile import TemporaryDirectory

from model_export.package import publish_trained
from service.bundle.folders import read_repository
from service.engine.provider import Provider
from service.repository.models import load_models
from tests.bundles import served_models
from tests.faults.deployment import (
    Replicas,
    ReplicasOnRestoredRedis,
    on_redis,
    on_sqlite,
    on_sqlite_with_workers,
)
from tests.faults.fallen_writer import FallenWriter
from tests.faults.fault_run import KINDS, Load, fault_run
from tests.faults.figures import Figures
from tests.faults.schedule import Schedule
from tests.system_programs import found

_STORES: dict[str, Callable[[Path, Path, Figures], AbstractAsyncContextManager[Replicas]]] = {
    "redis": on_redis,
    "redis-restored": partial(on_redis, kind=ReplicasOnRestoredRedis),
    "sqlite": on_sqlite,
    "sqlite-workers": on_sqlite_with_workers,
}
_PROGRESS_SECONDS = 10.0


def main() -> None:
    """Run, print the table; exit status 1 and the reason where a session is not as it should be."""
    arguments = _parser().parse_args()
    if arguments.store.startswith("redis") and found("redis-server") is None:
        sys.exit("needs redis-server: apt-get install redis-server")
    logging.disable(logging.WARNING)
    with TemporaryDirectory(prefix="gatewise-soak-") as name:
        try:
            asyncio.run(_soak(arguments, Path(name)))
        except AssertionError as error:
            sys.exit(f"FAILED {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", choices=sorted(_STORES), default="redis")
    parser.add_argument("--steps", type=int, default=200_000, help="time steps at least")
    parser.add_argument("--kills", type=int, default=36, help="kill -9 at least")
    parser.add_argument("--sessions", type=int, default=18, help="sessions written to at once")
    parser.add_argument("--seed", type=int, default=SystemRandom().getrandbits(32))
    parser.add_argument("--repository", type=Path, help="models; small random ones by default")
    return parser


async def _soak(arguments: argparse.Namespace, folder: Path) -> None:
    repository = arguments.repository or _small_models(folder / "models")
    engines = list(load_models(read_repository(repository), Provider()))
    figures = Figures()
    _say(f"soak on {arguments.store}, seed {arguments.seed}")
    kinds = (FallenWriter,) if arguments.store == "redis-restored" else KINDS
    load = Load(arguments.steps, arguments.sessions, arguments.seed, kinds)
    watching = asyncio.create_task(_show_progress(figures))
    async with _STORES[arguments.store](repository, folder, figures) as deployment:
        schedule = _schedule(list(deployment.faults), arguments.kills)
        await fault_run(deployment, schedule, load, engines, figures)
    watching.cancel()
    _say(_heading(arguments) + "\n\n" + figures.table())


def _small_models(folder: Path) -> Path:
    folder.mkdir()
    for trained in served_models():
        publish_trained(trained, folder)
    return folder


def _schedule(faults: list[str], kills: int) -> Schedule:
    """The kills shared out among the kinds there are, and half as many of each other fault.

    A store that is put back is killed for it.
    """
    kinds = [fault for fault in faults if fault.startswith(("kill", "restore"))]
    each = -(-kills // len(kinds))
    counts = {fault: each if fault in kinds else max(1, each // 2) for fault in faults}
    return Schedule(counts, shortest_pause=1.0, longest_pause=5.0)


async def _show_progress(figures: Figures) -> None:
    while True:
        await asyncio.sleep(_PROGRESS_SECONDS)
        _say(
            f"{figures.seconds:6.0f} s  {figures.steps:,} steps, {figures.kills} kills, "
            f"{figures.retries.total():,} retries, {figures.replays:,} replays"
        )


def _heading(arguments: argparse.Namespace) -> str:
    return f"Soak on {arguments.store}, seed {arguments.seed}, {os.cpu_count()} cores:"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
