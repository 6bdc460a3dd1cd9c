"""Sessions that are not read again: what they are good for, and what not."""

from collections.abc import Sequence

import numpy as np
import pytest

from service.batcher.batcher import Deferred
from service.batcher.compute import Stopped
from service.errors import SessionExpired, SessionFinished, SessionNotFound, StepConflict
from service.operations.inputs import JsonRows
from service.operations.requests import Steps
from service.repository.models import Models
from service.sessions.recent import OVERHEAD_BYTES, Recent
from service.stores.columns import Columns
from service.stores.store import Found, Identity
from tests.contract.sessions import finished, found_in, identities, moved, same, session
from tests.unit.sessions.steps import (
    NOW,
    RECENT_BYTES,
    ROW,
    ManualStore,
    RacedStore,
    answered,
    holding,
    made_anew,
    outcome_of,
    request,
    rival_step,
    stepper,
    weather,
)


class CountingStore(ManualStore):
    """A real store that counts what is read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[list[str]] = []

    def read(self, identities: Sequence[Identity]) -> list[Found]:
        self.reads.append([identity.session_id for identity in identities])
        return super().read(identities)


@pytest.fixture
def counting() -> CountingStore:
    store = CountingStore()
    for session_id in "ab":
        store.create(weather(session_id))
    return store


def test_a_session_is_read_once(models: Models, counting: CountingStore) -> None:
    run = stepper(models, counting).run
    for expected in (8, 9, 10):
        assert answered(run([request("a")])[0]).step == expected
    assert answered(run([request("a"), request("b")])[1]).step == 8
    assert counting.reads == [["a"], ["b"]]


def test_without_room_every_step_reads(models: Models, counting: CountingStore) -> None:
    run = stepper(models, counting, Recent(0)).run
    for _ in range(3):
        run([request("a")])
    assert counting.reads == [["a"]] * 3


def test_another_process_was_faster(models: Models, counting: CountingStore) -> None:
    run = stepper(models, counting).run
    run([request("a")])
    rival_step(counting, "a")
    assert answered(run([request("a")])[0]).step == 109


def test_a_condition_is_not_refused_for_what_was_true_before(
    models: Models, counting: CountingStore
) -> None:
    run = stepper(models, counting).run
    run([request("a")])
    rival_step(counting, "a")
    assert answered(run([request("a", at=108)])[0]).step == 109
    rival_step(counting, "a")
    refused = run([request("a", at=109), request("b")])
    assert isinstance(refused[0], StepConflict)
    assert refused[0].step == 209
    assert answered(refused[1]).step == 8


def test_a_session_ended_elsewhere_is_gone(models: Models, counting: CountingStore) -> None:
    run = stepper(models, counting).run
    run([request("a")])
    before = found_in(counting, "a")
    assert counting.replace([finished(before)], [before.revision]) == [True]
    assert isinstance(run([request("a")])[0], SessionFinished)
    run([request("b")])
    counting.remove(Identity("", "b"))
    assert isinstance(run([request("b")])[0], SessionNotFound)


def test_a_session_made_anew_elsewhere_is_the_new_one(
    models: Models, counting: CountingStore
) -> None:
    run = stepper(models, counting).run
    for _ in range(3):
        run([request("a")])
    made_anew(counting, weather("a", revision=1_000, created_at=NOW))
    assert answered(run([request("a")])[0]).step == 8


def test_a_session_made_anew_elsewhere_on_another_model(
    models: Models, counting: CountingStore
) -> None:
    """What the copy says would send the new model's inputs into the old model's graph."""
    run = stepper(models, counting).run
    run([request("a"), request("b")])
    state = np.zeros(6, np.float32)
    anew = weather("a", model="letters", state=state, revision=1_000, created_at=NOW)
    made_anew(counting, anew)
    tokens = Steps.of("a", JsonRows([1, 2]))
    outcomes = run([tokens, request("b")])
    assert answered(outcomes[0]).manifest.name == "letters"
    assert answered(outcomes[1]).step == 9


def test_those_used_last_stay() -> None:
    size = OVERHEAD_BYTES + 4 * 2 + len(b"{}")
    recent = Recent(3 * size)
    for session_id in ("a", "b", "c", "a", "d"):
        recent.keep(session(session_id, state=np.zeros(2, np.float32)))
    assert recent.find(identities("a", "b", "c", "d"))[1] == [1]
    recent.take(Identity("", "a"))
    recent.keep(session("e", state=np.zeros(2, np.float32)))
    assert recent.find(identities("a", "c"))[1] == [0]


def test_what_was_stored_is_kept_whole_whatever_was_kept_meanwhile() -> None:
    """Another thread may have put an older copy in place between a commit and this."""
    recent = Recent(RECENT_BYTES)
    older = session("a", receipts=b"")
    stored = moved(moved(older, receipts=b"R2"))
    recent.keep(older)
    recent.keep_moved(Columns.of([stored]))
    assert same(recent.take(Identity("", "a")), stored)


LONG = [ROW] * 3000


def test_long_work_is_deferred_and_gives_the_same(models: Models, counting: CountingStore) -> None:
    run = stepper(models, counting).run
    long, short = run([request("a", LONG), request("b")])
    assert isinstance(long, Deferred)
    assert answered(short).step == 8
    assert found_in(counting, "a").step == 7
    assert answered(long).step == 7 + len(LONG)
    for row in LONG[1:]:
        run([request("b", [row])])
    states = [found_in(counting, session_id).state for session_id in "ab"]
    np.testing.assert_allclose(states[0], states[1], atol=1e-5)


def test_several_that_are_long_together(models: Models) -> None:
    store = holding(*map(weather, "abcd"))
    outcomes = stepper(models, store).run([request(one, LONG[:600]) for one in "abcd"])
    assert [isinstance(outcome, Deferred) for outcome in outcomes] == [False, True, True, True]
    assert [answered(outcome).step for outcome in outcomes] == [607] * 4


def test_long_work_that_lost_a_race_is_done_again(models: Models) -> None:
    store = RacedStore(lambda store: rival_step(store, "a"), times=2)
    store.create(weather("a"))
    outcome = stepper(models, store).run([request("a", LONG)])[0]
    assert answered(outcome).step == 207 + len(LONG)


def test_long_work_does_not_bring_an_expired_session_back(models: Models) -> None:
    store = holding(weather("a"))
    (long,) = stepper(models, store, Recent(0)).run([request("a", LONG)])
    assert isinstance(long, Deferred)
    finish = long.work(lambda: True)
    store.clocks.pass_time(60)
    assert isinstance(outcome_of(finish()), SessionExpired)
    assert found_in(store, "a").step == 7


def test_long_work_for_nobody_ends_and_changes_nothing(models: Models) -> None:
    store = holding(weather("a"))
    (long,) = stepper(models, store).run([request("a", LONG)])
    assert isinstance(long, Deferred)
    asked: list[int] = []

    def wanted() -> bool:
        asked.append(1)
        return len(asked) < 2

    with pytest.raises(Stopped):
        long.work(wanted)
    assert len(asked) == 2
    assert found_in(store, "a").step == 7
