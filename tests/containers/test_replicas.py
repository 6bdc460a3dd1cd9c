"""The replicas stack under load, while everything in it is killed, scaled and upgraded."""

from collections.abc import Callable, Sequence

import pytest

from service.engine.engine import Engine
from tests.containers.breaking import NEW_REVISION, ReplicasStack
from tests.containers.docker import inspect
from tests.containers.stack import Stack
from tests.faults.fault_run import Load, fault_run
from tests.faults.figures import Figures
from tests.faults.schedule import Schedule

FAULTS = {
    "kill replica": 5,
    "kill Redis": 2,
    "kill balancer": 1,
    "restart Redis": 1,
    "scale": 1,
    "upgrade": 1,
}
LABEL = "org.opencontainers.image.revision"


@pytest.mark.timeout(420)
async def test_no_session_loses_or_repeats_a_step(
    replicas: Stack,
    demo_engines: Sequence[Engine],
    figures: Figures,
    say: Callable[[str], None],
) -> None:
    """Three containers behind a balancer, on Redis."""
    deployment = ReplicasStack(replicas, figures)
    load = Load(5000, sessions=12, seed=3)
    await fault_run(deployment, Schedule(FAULTS), load, demo_engines, figures)
    assert figures.kills == 8
    assert figures.replays > 0
    now = replicas.containers("replica")
    assert [inspect(one)["Config"]["Labels"][LABEL] for one in now] == [NEW_REVISION] * 3
    lost = figures.sessions - figures.states_compared
    say(
        f"containers: {figures.sessions:,} sessions, {figures.steps:,} steps, "
        f"{figures.kills} kills, {lost} lost"
    )
    assert lost == 0
