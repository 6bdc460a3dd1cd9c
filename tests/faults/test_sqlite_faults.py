"""One service of three workers on one SQLite file: killed, terminated and frozen under load."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from service.engine.engine import Engine
from tests.faults.deployment import on_sqlite_with_workers
from tests.faults.fault_run import Load, fault_run
from tests.faults.figures import Figures
from tests.faults.schedule import Schedule

FAULTS = {
    "kill worker": 8,
    "kill service": 2,
    "SIGTERM service": 1,
    "freeze worker": 2,
    "hang worker": 2,
}


@pytest.mark.timeout(240)
async def test_nothing_is_lost_and_nothing_applied_twice(
    repository: Path, engines: Sequence[Engine], tmp_path: Path, figures: Figures
) -> None:
    """Three workers on SQLite."""
    async with on_sqlite_with_workers(repository, tmp_path, figures) as deployment:
        await fault_run(deployment, Schedule(FAULTS), Load(steps=5000, seed=1), engines, figures)
    assert figures.kills == 10
    assert figures.replays > 0
    assert figures.late.total() > 0, "attempts that hung were worked off"
