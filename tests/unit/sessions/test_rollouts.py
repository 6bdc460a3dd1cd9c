"""Rollouts that are streamed: one output after the other, and nothing stored before the end."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

from service.bundle.signatures.sampling import Sampling
from service.errors import SessionContended
from service.operations.conditions import UNCONDITIONAL, Conditions
from service.operations.inputs import JsonRows
from service.operations.keys import Key
from service.operations.requests import Create, Get, Steps
from service.operations.rollout import Plan, Rollout
from service.repository.models import Models
from service.sessions.answers import Answer
from service.sessions.feedback import rolling
from service.sessions.rollouts import Shown
from service.sessions.sessions import Sessions
from tests.rolled_out import roll
from tests.unit.sessions.serving import serving
from tests.unit.sessions.steps import ManualStore

LONG = 5000
SEED = 7
KEYED = Conditions(Key.of(b"k"))


@pytest.fixture
async def sessions(models: Models) -> AsyncIterator[Sessions]:
    async with serving(models, ManualStore()) as sessions:
        yield sessions


async def request(
    sessions: Sessions,
    models: Models,
    steps: int,
    *,
    model: str = "letters",
    advance: bool = True,
    conditions: Conditions = UNCONDITIONAL,
) -> Rollout:
    """A rollout of a new session."""
    session, _ = await sessions.create(Create(model))
    inputs = JsonRows(models.default(model).example[:2].tolist())
    seed = SEED if model == "letters" else None
    return Rollout(
        session.session_id, inputs, steps, advance=advance, seed=seed, conditions=conditions
    )


async def parts_of(sessions: Sessions, asked: Rollout) -> tuple[list[Any], Answer]:
    """All outputs of a stream, and its answer, which must come last and alone."""
    *shown, answer = [part async for part in sessions.stream_rollout(asked)]
    assert isinstance(answer, Answer)
    outputs: list[Any] = []
    for part in shown:
        assert isinstance(part, Shown)
        assert part.index == len(outputs)
        outputs += [np.asarray(output).tolist() for output in part.outputs]
    return outputs, answer


@pytest.mark.parametrize("name", ["weather", "letters-deep"])
def test_outputs_come_one_by_one_and_are_those_of_the_whole(models: Models, name: str) -> None:
    engine = models.default(name)
    state = engine.initial_states(1)[0]
    plan = Plan(engine.example[:3], 5, True, Sampling(7))
    whole = roll(engine, plan, state).result.outputs
    one_by_one = list(rolling(engine, plan, state))
    assert np.array(one_by_one, whole.dtype).tobytes() == whole.tobytes()
    endless = rolling(engine, Plan(plan.inputs, 10**9, False, plan.sampling), state)
    assert next(endless).astype(whole.dtype).tobytes() == whole[0].tobytes()


@pytest.mark.parametrize("horizon", [1, 4])
def test_of_a_forecast_only_what_is_ahead_comes_one_by_one(models: Models, horizon: int) -> None:
    engine = models.default("weather")
    state = engine.initial_states(1)[0]
    plan = Plan(engine.example[:3], horizon, False, Sampling(0, 0.0), forecast=True)
    whole = roll(engine, plan, state).result.outputs
    one_by_one = list(rolling(engine, plan, state))
    assert (len(whole), len(one_by_one)) == (2 + horizon, horizon - 1)
    assert np.array(one_by_one, np.float32).tobytes() == whole[3:].tobytes()


@pytest.mark.parametrize("model", ["weather", "letters"])
@pytest.mark.parametrize("steps", [1, 40, LONG])
async def test_a_stream_ends_with_the_answer_of_the_whole(
    sessions: Sessions, models: Models, model: str, steps: int
) -> None:
    asked = await request(sessions, models, steps, model=model)
    outputs, answer = await parts_of(sessions, asked)
    assert outputs == answer.result.outputs.tolist()
    assert len(outputs) == steps
    session = await sessions.get(Get(asked.session_id))
    assert (session.step, session.revision) == (answer.step, answer.revision)
    assert session.step == steps + 1
    whole = await sessions.rollout(await request(sessions, models, steps, model=model))
    assert whole.result.outputs.tolist() == outputs


@pytest.mark.parametrize("steps", [40, LONG], ids=["kept", "computed again"])
async def test_a_retry_streams_the_same_and_moves_nothing(
    sessions: Sessions, models: Models, steps: int
) -> None:
    asked = await request(sessions, models, steps, conditions=KEYED)
    first, answer = await parts_of(sessions, asked)
    again, replayed = await parts_of(sessions, asked)
    assert again == first
    assert (answer.replayed, replayed.replayed) == (False, True)
    assert (replayed.step, replayed.revision) == (answer.step, answer.revision)
    assert (await sessions.get(Get(asked.session_id))).revision == answer.revision


async def test_a_look_ahead_moves_nothing(sessions: Sessions, models: Models) -> None:
    asked = await request(sessions, models, 40, advance=False)
    outputs, answer = await parts_of(sessions, asked)
    assert len(outputs) == 40
    assert (answer.step, (await sessions.get(Get(asked.session_id))).step) == (0, 0)


async def test_the_pace_is_that_of_whoever_takes(sessions: Sessions, models: Models) -> None:
    """Nothing is computed ahead without bound, and who stops leaves the session as it was."""
    asked = await request(sessions, models, 10**6)
    stream = sessions.stream_rollout(asked)
    part = await anext(stream)
    assert isinstance(part, Shown)
    assert len(part.outputs) == 1
    await stream.aclose()
    assert (await sessions.get(Get(asked.session_id))).step == 0


async def test_a_step_in_between_wins(sessions: Sessions, models: Models) -> None:
    asked = await request(sessions, models, LONG)
    stream = sessions.stream_rollout(asked)
    await anext(stream)
    await sessions.step(Steps.of(asked.session_id, JsonRows([1])))
    with pytest.raises(SessionContended):
        async for _ in stream:
            pass
    assert (await sessions.get(Get(asked.session_id))).step == 1


async def test_a_short_rollout_is_not_held_up_by_a_long_one(
    sessions: Sessions, models: Models
) -> None:
    long = asyncio.create_task(sessions.rollout(await request(sessions, models, 20 * LONG)))
    short = await request(sessions, models, 3)
    answer = await sessions.rollout(short)
    assert len(answer.result.outputs) == 3
    assert not long.done()
    long.cancel()
