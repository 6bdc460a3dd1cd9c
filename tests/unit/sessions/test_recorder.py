"""What is kept of recorded sessions, in groups of steps: the truth, or a gap that shows."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from structlog.testing import capture_logs

from service.errors import MustWait, StoreError
from service.metrics.catalogue import TRACE_STEPS_LOST
from service.operations.keys import Key
from service.repository.models import Models
from service.sessions.recorder import STEPS_BETWEEN_STATES, Recorder
from service.stores.store import Identity
from service.stores.traces.memory import MemoryTraces
from service.stores.traces.traces import Addition, Piece, Trace, Traces, contiguous
from tests.contract.sessions import found_in
from tests.unit.sessions.recorded import assert_true
from tests.unit.sessions.steps import (
    NOW,
    ROW,
    FailingStore,
    ManualStore,
    OneProcess,
    RacedStore,
    answered,
    holding,
    outcome_of,
    recorder_of,
    request,
    rival_step,
    stepper,
    weather,
)

MOST = 10


def rows(count: int, seed: int = 0) -> list[list[float]]:
    drawn = np.random.default_rng(seed).normal(ROW, 1.0, (count, 3)).astype(np.float32)
    return [[float(value) for value in row] for row in drawn]


def trace(session_id: str = "a", **fields: object) -> Trace:
    made = Trace("", f"of {session_id}", session_id, "weather", 1, NOW, NOW + 100, 2**20)
    given: dict[str, Any] = fields
    return replace(made, **given)


def recording(store: ManualStore, traces: Traces, *session_ids: str) -> Recorder:
    """A recorder of these sessions."""
    recorder = recorder_of(store, traces)
    for one in session_ids:
        recorder.begin(trace(one), most=MOST)
    return recorder


def pieces_of(traces: Traces, session_id: str = "a") -> list[Piece]:
    return traces.pieces("", f"of {session_id}")


class UntouchedTraces(MemoryTraces):
    def append(self, additions: Sequence[Addition]) -> None:
        raise AssertionError(additions)


class FailingTraces(MemoryTraces):
    """Whose next appends fail."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__()
        self.errors = list(errors)

    def append(self, additions: Sequence[Addition]) -> None:
        if self.errors:
            raise self.errors.pop(0)
        super().append(additions)


def test_nothing_happens_where_nothing_is_recorded(models: Models) -> None:
    store = holding(weather("a"))
    recorder = recorder_of(store, UntouchedTraces())
    assert not recorder.sessions
    recorder.refresh()
    answered(stepper(models, store, recorder=recorder).run([request("a")])[0])


def test_nothing_is_appended_for_others(models: Models) -> None:
    store = holding(weather("a"), weather("b"))
    recorder = recording(store, UntouchedTraces(), "a")
    answered(stepper(models, store, recorder=recorder).run([request("b")])[0])


def test_every_step_is_kept_and_leads_to_what_is_stored(models: Models) -> None:
    store, traces = holding(weather("a"), weather("b"), weather("c")), MemoryTraces()
    run = stepper(models, store, recorder=recording(store, traces, "a", "c")).run
    for number in range(20):
        some = rows(3 if number == 5 else 1, seed=number)
        outcomes = run([request("b"), request("a", some), request("c", rows(1, number + 100))])
        assert all(map(answered, outcomes))
    engine = models.default("weather")
    for session_id in "ac":
        pieces = pieces_of(traces, session_id)
        assert len(pieces) == 20
        assert_true(pieces, engine, found_in(store, session_id))
        assert [one.state is not None for one in pieces] == [True, *[False] * 19]
    assert pieces_of(traces, "a")[5].inputs.tolist() == rows(3, seed=5)


def test_what_lost_a_race_is_not_in_it(models: Models) -> None:
    """It was computed twice, and applied once, behind the rival's step."""
    store = RacedStore(lambda store: rival_step(store, "a"), times=1)
    store.create(weather("a"))
    traces = MemoryTraces()
    run = stepper(models, store, recorder=recording(store, traces, "a")).run
    assert answered(run([request("a")])[0]).step == 108
    (piece,) = pieces_of(traces)
    assert (piece.step, piece.inputs.tolist()) == (107, [ROW])
    assert_true([piece], models.default("weather"), found_in(store, "a"))


def test_the_rows_of_a_batch_that_lost_do_not_shift_the_others(models: Models) -> None:
    store = RacedStore(lambda store: rival_step(store, "a"), times=1)
    for one in "abc":
        store.create(weather(one))
    traces = MemoryTraces()
    run = stepper(models, store, recorder=recording(store, traces, "a", "b", "c")).run
    outcomes = run([request(one, rows(1, seed)) for seed, one in enumerate("abc")])
    assert all(map(answered, outcomes))
    for seed, one in enumerate("abc"):
        (piece,) = pieces_of(traces, one)
        assert piece.inputs.tolist() == rows(1, seed)
        assert_true([piece], models.default("weather"), found_in(store, one))


def test_what_was_not_applied_is_not_in_it(models: Models) -> None:
    store = FailingStore()
    store.create(weather("a"))
    traces = MemoryTraces()
    run = stepper(models, store, recorder=recording(store, traces, "a")).run
    bad = request("a", [[1.0]])
    assert isinstance(outcome_of(run([request("a")])[0]), StoreError)
    assert isinstance(outcome_of(run([bad])[0]), Exception)
    assert pieces_of(traces) == []


def test_a_retry_is_not_in_it_again(models: Models) -> None:
    store, traces = holding(weather("a")), MemoryTraces()
    run = stepper(models, store, recorder=recording(store, traces, "a")).run
    for gates in (False, True):
        keyed = request("a", rows(40), key=Key.of(b"k%d" % gates), gates=gates)
        assert not answered(run([keyed])[0]).replayed
        assert answered(run([keyed])[0]).replayed
    assert_true(pieces_of(traces), models.default("weather"), found_in(store, "a"))
    assert len(pieces_of(traces)) == 2


def test_a_long_block_that_was_deferred(models: Models) -> None:
    store, traces = holding(weather("a")), MemoryTraces()
    run = stepper(models, store, recorder=recording(store, traces, "a")).run
    assert answered(run([request("a", rows(3000))])[0]).step == 3007
    (piece,) = pieces_of(traces)
    assert piece.inputs.tolist() == rows(3000)
    assert_true([piece], models.default("weather"), found_in(store, "a"))


def test_states_come_again_before_many_steps_are_to_be_computed(models: Models) -> None:
    store, traces = holding(weather("a")), MemoryTraces()
    run = stepper(models, store, recorder=recording(store, traces, "a")).run
    for number in range(70):
        answered(run([request("a", rows(10, number))])[0])
    pieces = pieces_of(traces)
    assert_true(pieces, models.default("weather"), found_in(store, "a"))
    stated = [one.step for one in pieces if one.state is not None]
    assert stated[0] == 7
    for step, following in pairwise(stated):
        assert STEPS_BETWEEN_STATES <= following - step < STEPS_BETWEEN_STATES + 10


def test_a_small_trace_keeps_most_of_its_bytes(models: Models) -> None:
    """Where the oldest leave, the rest begins with a state that is near."""
    store, traces = holding(weather("a")), MemoryTraces()
    recorder = recorder_of(store, traces)
    recorder.begin(trace(max_bytes=8000), most=MOST)
    run = stepper(models, store, recorder=recorder).run
    for number in range(300):
        answered(run([request("a", rows(1, number))])[0])
        kept = sum(one.size for one in pieces_of(traces))
        assert kept <= 8000
        assert number < 120 or kept > 6000
    pieces = pieces_of(traces)
    assert contiguous(pieces)[0].step == pieces[0].step
    assert_true(pieces, models.default("weather"), found_in(store, "a"))


def two_processes(models: Models, traces: Traces) -> tuple[ManualStore, list[OneProcess]]:
    """That take turns at one session."""
    store = holding(weather("a"))
    first, second = (recorder_of(store, traces) for _ in range(2))
    first.begin(trace(), most=MOST)
    second.refresh()
    return store, [stepper(models, store, recorder=one) for one in (first, second)]


@pytest.mark.parametrize("turn", [1, 7])
def test_two_processes_that_take_turns(models: Models, turn: int) -> None:
    traces = MemoryTraces()
    store, processes = two_processes(models, traces)
    for number in range(100):
        process = processes[number // turn % 2]
        answered(process.run([request("a", rows(1, number))])[0])
    pieces = pieces_of(traces)
    assert len(pieces) == 100
    assert_true(pieces, models.default("weather"), found_in(store, "a"))
    states = sum(one.state.nbytes for one in pieces if one.state is not None)
    assert states <= sum(one.size for one in pieces) / 2


def test_a_process_that_was_passed_over_goes_on_soon(models: Models) -> None:
    """Another one that records nothing made steps in between: a gap, and then a state."""
    store, traces = holding(weather("a")), MemoryTraces()
    run = stepper(models, store, recorder=recording(store, traces, "a")).run
    other = stepper(models, store).run
    for number in range(10):
        answered(run([request("a", rows(1, number))])[0])
    answered(other([request("a")])[0])
    for number in range(5):
        answered(run([request("a", rows(1, number))])[0])
    shown = contiguous(pieces_of(traces))
    assert [one.step for one in shown] == [18, 19, 20, 21, 22]
    assert_true(shown, models.default("weather"), found_in(store, "a"))


def lost_steps() -> float:
    return next(iter(next(iter(TRACE_STEPS_LOST.collect())).samples)).value


def test_a_failing_append_fails_no_step_and_leaves_a_gap(models: Models) -> None:
    store, traces = holding(weather("a")), FailingTraces()
    run = stepper(models, store, recorder=recording(store, traces, "a")).run
    for number in range(6):
        if number == 3:
            traces.errors = [StoreError("away")]
        before = lost_steps()
        assert answered(run([request("a", rows(2, number))])[0]).step == 9 + 2 * number
        assert lost_steps() - before == (2 if number == 3 else 0)
    shown = contiguous(pieces_of(traces))
    assert [one.step for one in shown] == [15, 17]
    assert_true(shown, models.default("weather"), found_in(store, "a"))


@pytest.mark.parametrize("error", [StoreError("away"), ValueError("a mistake")])
def test_failures_are_told_once_a_minute(models: Models, error: Exception) -> None:
    store, traces = holding(weather("a")), FailingTraces(*[error] * 5)
    seconds = [0.0]
    recorder = Recorder(traces, store.now, lambda: seconds[0])
    recorder.begin(trace(), most=MOST)
    run = stepper(models, store, recorder=recorder).run
    with capture_logs() as logs:
        for passed in (0, 1, 59.9, 60, 61):
            seconds[0] = passed
            answered(run([request("a")])[0])
    told = [(one["event"], one["detail"], one["log_level"]) for one in logs]
    assert told == [("trace_steps_lost", str(error), "warning")] * 2


def test_what_had_to_wait_comes_with_the_next(models: Models) -> None:
    """On an event loop nobody waits for a file that is locked."""
    store, traces = holding(weather("a")), FailingTraces(MustWait(), MustWait())
    recorder = recording(store, traces, "a")
    run = stepper(models, store, recorder=recorder).run
    before = lost_steps()
    for number in range(3):
        answered(run([request("a", rows(1, number))])[0])
    assert_true(pieces_of(traces), models.default("weather"), found_in(store, "a"))
    traces.errors = [MustWait()]
    answered(run([request("a")])[0])
    assert len(pieces_of(traces)) == 3
    recorder.refresh()
    assert_true(pieces_of(traces), models.default("weather"), found_in(store, "a"))
    assert len(pieces_of(traces)) == 4
    assert lost_steps() == before


def test_another_state_begins_anew(models: Models) -> None:
    store, traces = holding(weather("a")), MemoryTraces()
    recorder = recording(store, traces, "a")
    run = stepper(models, store, recorder=recorder).run
    answered(run([request("a")])[0])
    recorder.interrupted(Identity("", "a"))
    recorder.interrupted(Identity("", "nobody"))
    answered(run([request("a")])[0])
    assert [one.state is not None for one in pieces_of(traces)] == [True, True]


def test_a_session_of_another_model_under_the_id(models: Models) -> None:
    store, traces = holding(weather("a")), MemoryTraces()
    recorder = recorder_of(store, traces)
    recorder.begin(trace(model="letters"), most=MOST)
    answered(stepper(models, store, recorder=recorder).run([request("a")])[0])
    assert pieces_of(traces) == []


def test_two_traces_of_one_session(models: Models) -> None:
    store, traces = holding(weather("a")), MemoryTraces()
    recorder = recording(store, traces, "a")
    run = stepper(models, store, recorder=recorder).run
    answered(run([request("a")])[0])
    later = Trace("", "later", "a", "weather", 1, NOW, NOW + 100, 2**20)
    recorder.begin(later, most=MOST)
    answered(run([request("a")])[0])
    for name, count in (("of a", 2), ("later", 1)):
        pieces = traces.pieces("", name)
        assert len(pieces) == count
        assert_true(pieces, models.default("weather"), found_in(store, "a"))


def test_a_refresh_finds_what_others_began_and_ended(models: Models) -> None:
    store, traces = holding(weather("a"), weather("b")), MemoryTraces()
    recorder = recorder_of(store, traces)
    run = stepper(models, store, recorder=recorder).run
    traces.create(trace(about=b'{"by": 1}'), [], most=MOST)
    answered(run([request("a")])[0])
    assert pieces_of(traces) == []
    recorder.refresh()
    assert recorder.records([Identity("", "b"), Identity("", "a")])
    assert not recorder.records([Identity("", "b"), Identity("other", "a")])
    for _ in range(3):
        answered(run([request("a")])[0])
        recorder.refresh()
    assert [one.state is not None for one in pieces_of(traces)] == [True, False, False]
    traces.delete("", "of a")
    recorder.refresh()
    assert not recorder.sessions


def test_an_expired_trace_is_recorded_no_more(models: Models) -> None:
    store, traces = holding(weather("a", expires_at=NOW + 1000)), MemoryTraces()
    recorder = recording(store, traces, "a")
    run = stepper(models, store, recorder=recorder).run
    answered(run([request("a")])[0])
    store.clocks.pass_time(100)
    recorder.refresh()
    assert not recorder.sessions
    assert traces.find("", "of a") is not None
    assert len(pieces_of(traces)) == 1


def test_one_that_was_made_anew_under_its_id_begins_with_a_state(models: Models) -> None:
    store, traces = holding(weather("a")), MemoryTraces()
    recorder = recording(store, traces, "a")
    run = stepper(models, store, recorder=recorder).run
    answered(run([request("a")])[0])
    traces.create(trace(created_at=NOW + 1), [], most=MOST)
    recorder.refresh()
    answered(run([request("a")])[0])
    (piece,) = pieces_of(traces)
    assert piece.state is not None


class UnreadableTraces(MemoryTraces):
    readable = True

    def recorded(self) -> list[Trace]:
        if not self.readable:
            raise StoreError("away")
        return super().recorded()


def test_while_the_store_is_away_what_is_known_goes_on(models: Models) -> None:
    store, traces = holding(weather("a")), UnreadableTraces()
    recorder = recording(store, traces, "a")
    traces.readable = False
    with capture_logs() as logs:
        recorder.refresh()
        recorder.refresh()
    assert [one["event"] for one in logs] == ["traces_not_read"]
    answered(stepper(models, store, recorder=recorder).run([request("a")])[0])
    assert len(pieces_of(traces)) == 1
    store.clocks.pass_time(100)
    recorder.refresh()
    assert not recorder.sessions, "it has expired all the same"


def test_ending_one_leaves_the_others(models: Models) -> None:
    store, traces = holding(weather("a"), weather("b")), MemoryTraces()
    recorder = recording(store, traces, "a", "b")
    assert recorder.end("", "of a")
    assert not recorder.end("", "of a")
    run = stepper(models, store, recorder=recorder).run
    assert all(map(answered, run([request("a"), request("b")])))
    assert traces.find("", "of a") is None
    assert len(pieces_of(traces, "b")) == 1


def test_closing_keeps_what_had_to_wait(models: Models) -> None:
    class Noting(FailingTraces):
        def close(self) -> None:
            closed.extend(self.pieces("", "of a"))
            super().close()

    closed: list[Piece] = []
    store, traces = holding(weather("a")), Noting(MustWait())
    with closing(recording(store, traces, "a")) as recorder:
        answered(stepper(models, store, recorder=recorder).run([request("a")])[0])
    assert len(closed) == 1
