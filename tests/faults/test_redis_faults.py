"""Three services on one Redis: everything is killed, frozen and cut off under load."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from service.engine.engine import Engine
from tests.faults.deployment import on_redis
from tests.faults.fault_run import Load, fault_run
from tests.faults.figures import Figures
from tests.faults.schedule import Schedule

FAULTS = {
    "kill service": 6,
    "kill Redis": 4,
    "SIGTERM service": 1,
    "freeze service": 1,
    "hang service": 2,
    "freeze Redis": 2,
    "cut refused": 1,
    "cut reset": 1,
    "cut swallowed": 1,
    "cut mute": 2,
}


@pytest.mark.timeout(240)
async def test_nothing_is_lost_and_nothing_applied_twice(
    repository: Path, engines: Sequence[Engine], tmp_path: Path, figures: Figures
) -> None:
    """Three services on Redis."""
    async with on_redis(repository, tmp_path, figures) as deployment:
        await fault_run(deployment, Schedule(FAULTS), Load(steps=5000, seed=2), engines, figures)
    assert figures.kills == 10
    assert figures.replays > 0
    assert figures.late.total() > 0, "attempts that hung were worked off"
