"""A store without room: changes are refused, nothing is damaged, and it goes on by itself."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from service.engine.engine import Engine
from tests.faults.fault_run import Load, fault_run
from tests.faults.figures import Figures
from tests.faults.full_stores import FULL, Filling, on_small_disk, on_small_redis
from tests.faults.schedule import Schedule

STALLED = ("timeout", "503 store_unavailable", "503 commit_unknown", "connection lost")
"""What a disk that takes seconds for a write can add, on a machine that others use too. Clients
leave a lane alone that timed out, and the service closes connections that are idle for so long."""

FILLED = Schedule({"fill store": 3}, shortest_pause=0.3, longest_pause=1.0)


@pytest.mark.timeout(240)
async def test_a_full_disk(
    repository: Path, engines: Sequence[Engine], tmp_path: Path, figures: Figures
) -> None:
    """A full disk under SQLite."""
    async with on_small_disk(repository, tmp_path, figures) as deployment:
        await _run_full(deployment, engines, figures)
        with closing(sqlite3.connect(tmp_path / "disk" / "sessions.db")) as file:
            assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.timeout(240)
async def test_a_redis_out_of_memory(
    repository: Path, engines: Sequence[Engine], tmp_path: Path, figures: Figures
) -> None:
    """A Redis out of memory."""
    async with on_small_redis(repository, tmp_path, figures) as deployment:
        await _run_full(deployment, engines, figures)


async def _run_full(deployment: Filling, engines: Sequence[Engine], figures: Figures) -> None:
    before = deployment.processes()
    await fault_run(deployment, FILLED, Load(steps=3000, seed=3), engines, figures)
    assert deployment.processes() == before, "recovery takes no restart"
    assert figures.retries[FULL] > 0
    assert set(figures.retries) <= {FULL, *STALLED}, "nothing breaks for the want of room"
