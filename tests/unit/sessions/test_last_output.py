"""The last output that is kept with a session: where it comes from, and when there is none."""

from collections.abc import AsyncIterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from service.engine.provider import Provider
from service.errors import InvalidInput, NoOutputYet, SessionDamaged
from service.operations.conditions import Conditions
from service.operations.gates import ALL_GATES
from service.operations.inputs import JsonRows
from service.operations.keys import Key
from service.operations.requests import Create, Fork, Get, Migrate, NewSession, PutState, Steps
from service.operations.rollout import Forecast, Rollout
from service.repository.models import Models, load_models
from service.sessions.answers import Answer
from service.sessions.sessions import Sessions
from service.stores.store import Session
from tests.contract.sessions import found_in
from tests.unit.sessions.serving import serving
from tests.unit.sessions.steps import ManualStore, answered, holding, request, stepper, weather

ROWS = [[20.0, 1000.0, 0.5], [21.0, 990.0, 0.4]]
S, WIDTH = 6, 3


@pytest.fixture
def store() -> ManualStore:
    return ManualStore()


@pytest.fixture
async def sessions(models: Models, store: ManualStore) -> AsyncIterator[Sessions]:
    async with serving(models, store) as sessions:
        await sessions.create(Create("weather", NewSession("a")))
        yield sessions


async def step(sessions: Sessions, session_id: str = "a") -> Answer:
    return await sessions.step(Steps.of(session_id, JsonRows(ROWS)))


async def ahead(sessions: Sessions, session_id: str = "a", steps: int = 4) -> Answer:
    return await sessions.rollout(Rollout(session_id, None, steps))


def same(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    return one.tobytes() == other.tobytes()


async def test_a_rollout_begins_with_the_output_that_was_answered(sessions: Sessions) -> None:
    answered = await step(sessions)
    rolled = await ahead(sessions)
    assert same(rolled.result.outputs[0], answered.result.outputs[-1])
    by_hand = await sessions.step(Steps.of("a", JsonRows(rolled.result.outputs[:1].tolist())))
    np.testing.assert_allclose(rolled.result.outputs[1], by_hand.result.outputs[0], rtol=1e-6)


async def test_it_is_kept_after_a_rollout_too(sessions: Sessions) -> None:
    await step(sessions)
    rolled = await sessions.rollout(Rollout("a", None, 4, advance=True))
    assert rolled.step == 2 + 3, "the last one shown is not consumed"
    assert same((await ahead(sessions)).result.outputs[0], rolled.result.outputs[-1])


async def test_a_rollout_of_one_output_consumes_nothing(sessions: Sessions) -> None:
    answered = await step(sessions)
    before = await sessions.state(Get("a"))
    rolled = await sessions.rollout(Rollout("a", None, 1, advance=True))
    assert (rolled.step, len(rolled.result.outputs)) == (2, 1)
    assert same(rolled.result.outputs[0], answered.result.outputs[-1])
    assert same((await sessions.state(Get("a"))).state, before.state)


async def test_a_fork_has_it_too(sessions: Sessions) -> None:
    answered = await step(sessions)
    await sessions.fork(Fork("a", NewSession("b")))
    assert same((await ahead(sessions, "b")).result.outputs[0], answered.result.outputs[-1])


async def test_there_is_none_before_the_first_step(sessions: Sessions) -> None:
    with pytest.raises(NoOutputYet):
        await ahead(sessions)
    await sessions.create(Create("weather", NewSession("b"), np.zeros(S, np.float32)))
    with pytest.raises(NoOutputYet):
        await ahead(sessions, "b")


async def test_there_is_none_after_another_state(sessions: Sessions) -> None:
    await step(sessions)
    state = np.full(S, 0.25, np.float32)
    put, _ = await sessions.put_state(PutState("a", 7, state))
    assert same(put.state, state)
    assert same((await sessions.state(Get("a"))).state, state)
    with pytest.raises(NoOutputYet):
        await ahead(sessions)
    await step(sessions)
    await ahead(sessions)


@pytest.mark.parametrize("size", [S - 1, S + 1, S + WIDTH])
async def test_a_state_has_no_output_behind_it(sessions: Sessions, size: int) -> None:
    await step(sessions)
    with pytest.raises(InvalidInput, match=f"{size} numbers"):
        await sessions.put_state(PutState("a", 7, np.zeros(size, np.float32)))


async def test_there_is_none_on_another_version(models: Models, store: ManualStore) -> None:
    first = models.default("weather")
    manifest = first.manifest.model_copy(update={"version": 2})
    second = load_models([replace(first.bundle, manifest=manifest)], Provider())
    both = Models([first, second.version("weather", 2)])
    async with serving(both, store) as sessions:
        await sessions.create(Create("weather", NewSession("a"), version=1))
        await step(sessions)
        left = await sessions.state(Get("a"))
        moved, _ = await sessions.migrate(Migrate("a", 1))
        assert (await ahead(sessions)).manifest.version == moved.version == 1
        await sessions.migrate(Migrate("a", 2))
        with pytest.raises(NoOutputYet):
            await ahead(sessions)
        assert same((await sessions.state(Get("a"))).state, left.state)


def earlier(store: ManualStore) -> Session:
    """As a release stored it that kept no outputs."""
    state = np.linspace(-1, 1, S, dtype=np.float32)
    session = Session("old", "weather", 1, 3, 5, 99, state, store.now(), store.now() + 60, 60.0)
    store.create(session)
    return session


async def test_sessions_of_earlier_releases_go_on(sessions: Sessions, store: ManualStore) -> None:
    old = earlier(store)
    assert same((await sessions.state(Get("old"))).state, old.state)
    with pytest.raises(NoOutputYet):
        await ahead(sessions, "old")
    first = await step(sessions, "old")
    again = await ahead(sessions, "old")
    assert same(again.result.outputs[0], first.result.outputs[-1])
    await step(sessions, "old")
    assert (await sessions.state(Get("old"))).step == 7


@pytest.mark.parametrize("copied", [False, True])
def test_a_group_of_sessions_of_both_releases(models: Models, *, copied: bool) -> None:
    """Also where there is a copy of the one that has an output."""
    empty = np.full(S + WIDTH, np.nan, np.float32)
    empty[:S] = 0
    store = holding(weather("a", state=empty))
    earlier(store)
    run, alone = stepper(models, store).run, stepper(models, holding(found_in(store, "old"))).run
    if copied:
        run([request("a", ROWS)])
    for number in range(3):
        begun = found_in(store, "a").step
        a, old = map(answered, run([request("a", ROWS), request("old", ROWS)]))
        assert (a.step, old.step) == (begun + 2, 2 * number + 5)
        same_alone = answered(alone([request("old", ROWS)])[0])
        np.testing.assert_allclose(old.result.outputs, same_alone.result.outputs, rtol=1e-5)
        for one in (a, old):
            kept = found_in(store, one.session_id).state
            assert len(kept) == S + WIDTH
            assert same(kept[S:], one.result.outputs[-1])


async def test_nothing_is_kept_while_an_older_release_may_read_it(models: Models) -> None:
    store = ManualStore()
    store.counts_changes = False
    async with serving(models, store) as sessions:
        await sessions.create(Create("weather", NewSession("a")))
        await step(sessions)
        await sessions.rollout(Rollout("a", JsonRows(ROWS), 2, advance=True))
        assert len((await sessions.get(Get("a"))).state) == S
        with pytest.raises(NoOutputYet):
            await ahead(sessions)


@pytest.mark.parametrize("size", [0, S - 1, S + 1, S + WIDTH + 1])
async def test_another_length_is_damage(sessions: Sessions, store: ManualStore, size: int) -> None:
    now = store.now()
    store.create(
        Session("x", "weather", 1, 3, 5, 99, np.zeros(size, np.float32), now, now + 60, 60.0)
    )
    for damaged in (step(sessions, "x"), ahead(sessions, "x"), sessions.state(Get("x"))):
        with pytest.raises(SessionDamaged, match=f"{size} numbers"):
            await damaged
    assert (await step(sessions)).step == 2, "its neighbours are not concerned"


@pytest.mark.parametrize("steps", [3, 2000], ids=["kept", "computed again"])
async def test_a_retry_begins_with_the_output_that_there_was(
    sessions: Sessions, steps: int
) -> None:
    await step(sessions)
    keyed = Rollout("a", None, steps, advance=True, conditions=Conditions(Key.of(b"k")))
    first = await sessions.rollout(keyed)
    await step(sessions)
    again = await sessions.rollout(keyed)
    assert again.replayed
    assert same(again.result.outputs, first.result.outputs)


@pytest.mark.parametrize("horizon", [1, 4, 2000], ids=["one", "kept", "computed again"])
@pytest.mark.parametrize("gates", [False, True])
async def test_a_forecast_is_answered_again(
    sessions: Sessions, horizon: int, *, gates: bool
) -> None:
    await step(sessions)
    asked = Forecast(
        "a",
        JsonRows(ROWS),
        horizon,
        ALL_GATES if gates else None,
        conditions=Conditions(Key.of(b"k")),
    )
    first = await sessions.forecast(asked)
    assert (first.step, len(first.result.outputs)) == (4, 2 + horizon - 1)
    assert same(first.result.outputs[1:], (await ahead(sessions, steps=horizon)).result.outputs)
    await step(sessions)
    again = await sessions.forecast(asked)
    assert again.replayed
    assert (again.step, again.revision) == (first.step, first.revision)
    assert same(again.result.outputs, first.result.outputs)
    if gates:
        assert first.result.gates is not None and again.result.gates is not None
        assert first.result.gates["update"].shape == (2, S), "of the steps, not of what is ahead"
        assert same(again.result.gates["hidden"], first.result.gates["hidden"])


async def test_a_forecast_moves_as_plain_steps_do(sessions: Sessions) -> None:
    await sessions.fork(Fork("a", NewSession("b")))
    stepped = await step(sessions, "b")
    forecast = await sessions.forecast(Forecast("a", JsonRows(ROWS), 5))
    np.testing.assert_allclose(forecast.result.outputs[:2], stepped.result.outputs, rtol=1e-6)
    one, other = [(await sessions.get(Get(name))).state for name in ("a", "b")]
    np.testing.assert_allclose(one, other, rtol=1e-6)
    assert len(one) == S + WIDTH


async def test_outputs_too_wide_are_not_kept(
    sessions: Sessions, store: ManualStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await step(sessions)
    before = await ahead(sessions)
    monkeypatch.setattr("service.sessions.vectors.MOST_KEPT", WIDTH - 1)
    assert same((await ahead(sessions)).result.outputs, before.result.outputs), "kept by others"
    await step(sessions)
    assert found_in(store, "a").state.shape == (S,)
    await sessions.create(Create("weather", NewSession("b")))
    assert found_in(store, "b").state.shape == (S,)
    for session_id in ("a", "b"):
        with pytest.raises(NoOutputYet, match="too wide"):
            await ahead(sessions, session_id)
    await sessions.rollout(Rollout("a", JsonRows(ROWS), 2))
