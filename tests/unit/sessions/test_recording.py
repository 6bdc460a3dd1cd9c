"""Sessions that are recorded: every way in which they move."""

import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from service.engine.provider import Provider
from service.errors import (
    InvalidInput,
    SessionNotFound,
    TooManyTraces,
    TraceNotFound,
)
from service.operations.caller import ANYBODY, Caller
from service.operations.conditions import UNCONDITIONAL, Conditions
from service.operations.inputs import JsonRows
from service.operations.keys import Key
from service.operations.requests import Create, Delete, Get, Migrate, NewSession, PutState, Record
from service.operations.rollout import Forecast, Rollout
from service.repository.models import Models, load_models
from service.sessions.recorder import Recorder, TraceBounds
from service.sessions.sessions import Sessions
from service.stores.store import Identity
from service.stores.traces.memory import MemoryTraces
from service.stores.traces.traces import Addition, Piece, contiguous
from tests.unit.sessions.recorded import assert_true
from tests.unit.sessions.serving import serving
from tests.unit.sessions.steps import NOW, ManualStore, request

BOUNDS = TraceBounds(most=2, max_bytes=100_000, ttl_seconds=50.0)


class NotingTraces(MemoryTraces):
    """Note the threads that append."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: set[str] = set()

    def append(self, additions: Sequence[Addition]) -> None:
        self.threads.add(threading.current_thread().name)
        super().append(additions)


@pytest.fixture
def store() -> ManualStore:
    return ManualStore()


@pytest.fixture
def traces() -> NotingTraces:
    return NotingTraces()


@pytest.fixture
async def sessions(
    models: Models, store: ManualStore, traces: NotingTraces
) -> AsyncIterator[Sessions]:
    async with serving(models, store, traces=traces, trace_bounds=BOUNDS) as sessions:
        assert sessions.traces is traces
        yield sessions


async def recorded(sessions: Sessions, model: str = "weather", session_id: str = "a") -> str:
    """A new session that is recorded; its trace."""
    await sessions.create(Create(model, NewSession(session_id)))
    trace, running = await sessions.record(Record(session_id))
    assert not running
    return trace.trace_id


def rows_of(models: Models, model: str, count: int) -> JsonRows:
    return JsonRows(models.default(model).example[:count].tolist())


async def step(sessions: Sessions, models: Models, model: str = "weather", count: int = 1) -> None:
    block = request("a", models.default(model).example[:count].tolist())
    await sessions.step(block)


async def assert_all(
    sessions: Sessions, models: Models, trace_id: str, model: str, steps: int
) -> list[Piece]:
    """Everything since the beginning is there, and true."""
    session = await sessions.get(Get("a"))
    pieces = contiguous(sessions.traces.pieces("", trace_id))
    assert_true(pieces, models.default(model), session)
    assert (pieces[0].step, session.step) == (0, steps)
    return pieces


async def test_a_recording_says_what_it_is_and_begins_where_the_session_is(
    sessions: Sessions, models: Models
) -> None:
    await sessions.create(Create("weather", NewSession("a")))
    await step(sessions, models, count=3)
    trace, _ = await sessions.record(Record("a", about=b'{"n":1}'))
    found = sessions.traces.find("", trace.trace_id)
    assert found == trace
    assert (trace.session_id, trace.model, trace.version) == ("a", "weather", 1)
    assert (trace.created_at, trace.expires_at) == (NOW, NOW + 50)
    assert (trace.max_bytes, trace.about) == (100_000, b'{"n":1}')
    (piece,) = sessions.traces.pieces("", trace.trace_id)
    assert (piece.step, piece.inputs.shape) == (3, (0, 3))
    assert_true([piece], models.default("weather"), await sessions.get(Get("a")))


@pytest.mark.parametrize("model", ["weather", "letters", "weather-deep"])
async def test_steps(sessions: Sessions, models: Models, model: str) -> None:
    trace_id = await recorded(sessions, model)
    for count in (1, 1, 5, 1):
        await step(sessions, models, model, count)
    pieces = await assert_all(sessions, models, trace_id, model, 8)
    assert [len(one.inputs) for one in pieces] == [0, 1, 1, 5, 1]


async def test_steps_of_recorded_sessions_do_not_hold_the_event_loop_up(
    sessions: Sessions, models: Models, traces: NotingTraces
) -> None:
    await recorded(sessions)
    for _ in range(5):
        await step(sessions, models)
    assert traces.threads == {"batcher"}
    assert threading.current_thread().name != "batcher"


@pytest.mark.parametrize(
    ("conditions", "tries"), [(UNCONDITIONAL, 1), (Conditions(Key.of(b"k")), 3)]
)
@pytest.mark.parametrize("model", ["weather", "letters", "letters-deep"])
async def test_rollouts_are_kept_with_what_was_fed_back(
    sessions: Sessions, models: Models, model: str, conditions: Conditions, tries: int
) -> None:
    trace_id = await recorded(sessions, model)
    await step(sessions, models, model)
    rollout = Rollout(*("a", rows_of(models, model, 3), 20), advance=True, conditions=conditions)
    for number in range(tries):
        answer = await sessions.rollout(rollout)
        assert answer.replayed == (number > 0)
    pieces = await assert_all(sessions, models, trace_id, model, 1 + 3 + 19)
    assert [len(one.inputs) for one in pieces] == [0, 1, 22]
    if model != "weather":
        fed = answer.result.outputs[:-1]
        assert pieces[-1].inputs[3:].tolist() == fed.tolist()


async def test_a_rollout_without_inputs(sessions: Sessions, models: Models) -> None:
    trace_id = await recorded(sessions)
    await step(sessions, models)
    for steps in (1, 4):
        await sessions.rollout(Rollout("a", None, steps, advance=True))
    pieces = await assert_all(sessions, models, trace_id, "weather", 4)
    assert [len(one.inputs) for one in pieces] == [0, 1, 0, 3]


async def test_a_forecast_is_kept_with_the_inputs_alone(sessions: Sessions, models: Models) -> None:
    trace_id = await recorded(sessions)
    await sessions.forecast(Forecast("a", rows_of(models, "weather", 3), 10))
    pieces = await assert_all(sessions, models, trace_id, "weather", 3)
    assert [len(one.inputs) for one in pieces] == [0, 3]


async def test_a_look_ahead_is_not_in_it(sessions: Sessions, models: Models) -> None:
    trace_id = await recorded(sessions)
    await step(sessions, models)
    await sessions.rollout(Rollout("a", rows_of(models, "weather", 3), 10, advance=False))
    await assert_all(sessions, models, trace_id, "weather", 1)


async def test_a_state_that_is_put_in_place_is_a_break(sessions: Sessions, models: Models) -> None:
    trace_id = await recorded(sessions)
    for _ in range(3):
        await step(sessions, models)
    size = models.default("weather").manifest.state_size
    await sessions.put_state(PutState("a", 100, np.full(size, 0.25, np.float32)))
    assert len(sessions.traces.pieces("", trace_id)) == 4
    for _ in range(2):
        await step(sessions, models)
    shown = contiguous(sessions.traces.pieces("", trace_id))
    assert [one.step for one in shown] == [100, 101]
    assert_true(shown, models.default("weather"), await sessions.get(Get("a")))


@pytest.mark.parametrize("change", [PutState("a", 9, np.zeros(6, np.float32)), Migrate("a")])
async def test_the_recorder_hears_of_every_other_change(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch, change: PutState | Migrate
) -> None:
    """What comes behind a large state would otherwise wait for many steps until it is shown."""
    heard: list[Identity] = []
    monkeypatch.setattr(Recorder, "interrupted", lambda _, identity: heard.append(identity))
    await recorded(sessions)
    if isinstance(change, PutState):
        await sessions.put_state(change)
    else:
        await sessions.migrate(change)
    assert heard == [Identity("", "a")]


async def test_another_version_is_a_break(
    models: Models, store: ManualStore, traces: NotingTraces
) -> None:
    first = models.default("weather")
    manifest = first.manifest.model_copy(update={"version": 2})
    second = load_models([replace(first.bundle, manifest=manifest)], Provider())
    both = Models([first, second.version("weather", 2)])
    async with serving(both, store, traces=traces) as sessions:
        await sessions.create(Create("weather", NewSession("a"), version=1))
        trace, _ = await sessions.record(Record("a"))
        await step(sessions, models)
        await sessions.migrate(Migrate("a", 2))
        await step(sessions, models)
        pieces = traces.pieces("", trace.trace_id)
    assert [one.version for one in pieces] == [1, 1, 2]
    assert [one.version for one in contiguous(pieces)] == [2]


async def test_a_session_that_was_made_anew_is_a_break(
    sessions: Sessions, models: Models, store: ManualStore
) -> None:
    trace_id = await recorded(sessions)
    await step(sessions, models)
    await sessions.delete(Delete("a"))
    assert len(sessions.traces.pieces("", trace_id)) == 2
    store.clocks.pass_time(1)
    await sessions.create(Create("weather", NewSession("a")))
    for _ in range(20):
        await step(sessions, models)
    shown = contiguous(sessions.traces.pieces("", trace_id))
    assert shown
    assert_true(shown, models.default("weather"), await sessions.get(Get("a")))


async def test_a_running_recording_goes_on(sessions: Sessions, store: ManualStore) -> None:
    await sessions.create(Create("weather", NewSession("a"), None))
    first, _ = await sessions.record(Record("a", ttl_seconds=10))
    assert await sessions.record(Record("a", ttl_seconds=1000)) == (first, True)
    store.clocks.pass_time(10)
    second, running = await sessions.record(Record("a"))
    assert not running
    assert second.trace_id != first.trace_id


async def test_what_may_not_be_recorded(sessions: Sessions) -> None:
    for session_id in ("a", "b", "c"):
        await sessions.create(Create("weather", NewSession(session_id)))
    with pytest.raises(SessionNotFound):
        await sessions.record(Record("nobody"))
    with pytest.raises(SessionNotFound):
        await sessions.record(Record("a", caller=Caller("another")))
    for max_bytes in (0, 100_001):
        with pytest.raises(InvalidInput, match="max_bytes: a trace may have 1 to 100000 bytes"):
            await sessions.record(Record("a", max_bytes=max_bytes))
    await sessions.record(Record("a", max_bytes=100_000))
    trace, _ = await sessions.record(Record("b"))
    with pytest.raises(TooManyTraces, match="2 traces live, at most 2 may"):
        await sessions.record(Record("c"))
    await sessions.stop_recording(ANYBODY, trace.trace_id)
    await sessions.record(Record("c"))


async def test_only_its_tenant_ends_a_trace(sessions: Sessions, models: Models) -> None:
    trace_id = await recorded(sessions)
    for caller, wanted in ((Caller("another"), trace_id), (ANYBODY, "another")):
        with pytest.raises(TraceNotFound, match="there is no trace"):
            await sessions.stop_recording(caller, wanted)
    await step(sessions, models)
    assert len(sessions.traces.pieces("", trace_id)) == 2
    await sessions.stop_recording(ANYBODY, trace_id)
    await step(sessions, models)
    assert sessions.traces.find("", trace_id) is None


async def test_another_process_records_after_a_refresh(
    sessions: Sessions, models: Models, store: ManualStore, traces: NotingTraces
) -> None:
    trace_id = await recorded(sessions)
    async with serving(models, store, traces=_Kept(traces)) as other:
        await step(other, models)
        assert len(traces.pieces("", trace_id)) == 1
        await other.refresh_recordings()
        for _ in range(3):
            await step(other, models)
            await step(sessions, models)
    shown = contiguous(traces.pieces("", trace_id))
    assert [one.step for one in shown] == [1, 2, 3, 4, 5, 6]


class _Kept(NotingTraces):
    """Closing a process leaves the traces to the others."""

    def __init__(self, first: NotingTraces) -> None:
        super().__init__()
        self._kept = first._kept

    def close(self) -> None:
        pass


async def test_expired_traces_are_forgotten(
    sessions: Sessions, store: ManualStore, models: Models
) -> None:
    trace_id = await recorded(sessions)
    store.clocks.pass_time(49)
    assert await sessions.purge_traces() == 0
    store.clocks.pass_time(2)
    assert await sessions.purge_traces() == 1
    assert sessions.traces.find("", trace_id) is None
    await step(sessions, models)


async def test_nothing_is_forgotten_while_the_clock_is_not_trusted(
    sessions: Sessions, store: ManualStore
) -> None:
    trace_id = await recorded(sessions)
    store.clocks.jump(1e6)
    await sessions.keep_clock()
    assert await sessions.purge_traces() == 0
    assert sessions.traces.find("", trace_id) is not None
