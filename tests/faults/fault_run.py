"""Load and faults together, and the check at the end."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from service.engine.engine import Engine
from tests.faults.client import Client
from tests.faults.figures import Figures
from tests.faults.joint_writers import ContestingWriter, NumberedSharingWriter, SharingWriter, Turns
from tests.faults.keyless_writers import CountingWriter, FreeWriter
from tests.faults.requests import list_sessions, read_state
from tests.faults.schedule import Deployment, Schedule
from tests.faults.sole_writers import GuardedWriter, KeyedWriter, NumberedWriter
from tests.faults.undisturbed import numbers_of
from tests.faults.writer import World, Writer, check_stored

KINDS: tuple[type[Writer], ...] = (
    *(KeyedWriter, NumberedWriter, GuardedWriter, CountingWriter, FreeWriter),
    *(SharingWriter, NumberedSharingWriter, ContestingWriter),
)
_ENDLESS = 10**9
_FAULTS_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Load:
    """At least so many time steps, from so many sessions at once, written to in these ways."""

    steps: int
    sessions: int = 18
    seed: int = 0
    kinds: tuple[type[Writer], ...] = KINDS


async def fault_run(
    deployment: Deployment,
    schedule: Schedule,
    load: Load,
    engines: Sequence[Engine],
    figures: Figures,
) -> None:
    """Until all faults have happened and all steps are applied.

    Raises AssertionError, with what is wrong, the seed, the latest faults and the logs.
    """
    try:
        await _load_and_faults(deployment, schedule, load, engines, figures)
    except BaseExceptionGroup as errors:
        raise AssertionError(_explained(errors, load, deployment, figures)) from errors
    internal = {name: n for name, n in figures.retries.items() if name.startswith("500")}
    assert not internal, f"seed {load.seed}: {internal}\n{deployment.logs()}"


async def _load_and_faults(
    deployment: Deployment,
    schedule: Schedule,
    load: Load,
    engines: Sequence[Engine],
    figures: Figures,
) -> None:
    async with asyncio.TaskGroup() as group:
        playing = group.create_task(schedule.play(deployment.faults, Random(load.seed)))
        world = World(
            deployment.lanes,
            figures,
            is_over=lambda: playing.done() and figures.steps >= load.steps,
            spawn=group.create_task,
        )
        for place in range(load.sessions):
            group.create_task(_place(world, engines, place, load))
    async with asyncio.TaskGroup() as group:
        group.create_task(_check_all(world, Random(load.seed)))


async def _place(world: World, engines: Sequence[Engine], place: int, load: Load) -> None:
    """One session after the other; in every fifth place one that lasts for the whole run."""
    number = 0
    while not world.is_over():
        random = Random(f"{load.seed}/{place}/{number}")
        requests = _ENDLESS if place % 5 == 0 else random.randint(30, 120)
        engine = engines[(place + number) % len(engines)]
        await _live(world, engine, load.kinds[place % len(load.kinds)], random, requests)
        number += 1


async def _live(
    world: World, engine: Engine, kind: type[Writer], random: Random, requests: int
) -> None:
    """One session, from its creation to its last request."""
    writers = [kind(world, engine, Random(random.random()))]
    if issubclass(kind, SharingWriter):
        writers.append(kind(world, engine, Random(random.random())))
    turns = Turns()
    for writer in writers:
        if isinstance(writer, SharingWriter):
            writer.turns = turns
    history = await writers[0].begin()
    async with asyncio.TaskGroup() as group:
        for writer in writers:
            group.create_task(writer.write(history, requests))
    history.finish()


async def _check_all(world: World, random: Random) -> None:
    """Every session, as every replica shows it, against the undisturbed run."""
    lanes = sorted(set(world.lanes))
    clients = [Client([lane], random, world.figures, 10) for lane in lanes]
    try:
        for history in world.histories:
            if history.gone:
                continue
            history.finish()
            for client in clients:
                answer = await client.ask(read_state(history.session_id))
                history.look(answer)
                if history.gone:
                    break
                check_stored(history, answer)
            if history.gone:
                continue
            state = numbers_of(answer.content())["state"]
            world.figures.states_compared += 1
            world.figures.states_equal += np.array_equal(state, history.expected.state)
        await _check_no_others(world, clients[0])
    finally:
        for client in clients:
            client.close()


async def _check_no_others(world: World, client: Client) -> None:
    """A creation that was applied twice would have left a session that nobody knows."""
    listed: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await client.ask(list_sessions(cursor))).content()
        listed += [session["session_id"] for session in page["sessions"]]
        cursor = page["cursor"]
    made = {history.session_id for history in world.histories if not history.gone}
    assert set(listed) <= made, f"sessions that nobody made: {sorted(set(listed) - made)}"
    assert len(listed) == len(made), "the list of sessions is not complete"


def _explained(
    errors: BaseExceptionGroup[BaseException],
    load: Load,
    deployment: Deployment,
    figures: Figures,
) -> str:
    first: BaseException = errors
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    faults = "\n".join(figures.fault_log[-_FAULTS_SHOWN:])
    return (
        f"seed {load.seed}, after {figures.seconds:.3f} s: {type(first).__name__}: {first}\n"
        f"faults:\n{faults}\n{deployment.logs()}"
    )
