"""Groups of steps against real stores and graphs, with other writers in between."""

from collections.abc import Sequence

import numpy as np
import pytest

from service.errors import (
    InvalidInput,
    MustWait,
    SessionContended,
    SessionExpired,
    SessionNotFound,
    StoreError,
    VersionUnavailable,
)
from service.repository.models import Models
from service.sessions.answers import Answer
from service.sessions.changing import MAX_ATTEMPTS
from service.stores.columns import Moves
from service.stores.memory import MemoryStore
from service.stores.store import Found, Identity, Replaced
from tests.bundles import served_models
from tests.contract.sessions import found_in, moved, read, same
from tests.oracle import Oracle, assert_agrees
from tests.unit.sessions.steps import (
    NOW,
    ROW,
    FailingStore,
    ManualStore,
    RacedStore,
    answered,
    holding,
    made_anew,
    request,
    rival_step,
    stepper,
    weather,
)

ORACLE = Oracle(served_models()[0].network)


def test_a_step_moves_the_session(models: Models) -> None:
    before = weather("a")
    store = holding(before)
    inputs = np.array([ROW, [21.0, 990.0, 0.4]], np.float32)
    answer = answered(stepper(models, store).run([request("a", inputs.tolist())])[0])
    trace = ORACLE.run(inputs[np.newaxis], before.state[np.newaxis])
    assert_agrees(answer.result.outputs, trace.output[0])
    stored = found_in(store, "a")
    assert (answer.step, answer.revision) == (stored.step, stored.revision)
    assert_agrees(stored.state, np.concatenate([trace.state[0], trace.output[0, -1]]))
    assert (stored.step, stored.changes) == (before.step + 2, before.changes + 1)
    assert stored.revision != before.revision
    assert stored.expires_at == NOW + 60.0


def test_a_lost_race_is_computed_again_from_what_the_winner_left(models: Models) -> None:
    store = RacedStore(lambda store: rival_step(store, "a"), times=1)
    store.create(weather("a"))
    store.create(weather("b"))
    outcomes = stepper(models, store).run([request("a"), request("b")])
    rival = moved(weather("a"), step=107)
    trace = ORACLE.run(np.array([[ROW]], np.float32), rival.state[np.newaxis])
    a, b = found_in(store, "a"), found_in(store, "b")
    assert_agrees(a.state, np.concatenate([trace.state[0], trace.output[0, -1]]))
    assert (a.step, a.changes) == (108, rival.changes + 1)
    assert (b.step, b.changes) == (8, weather("b").changes + 1), "who won is not applied again"
    told = [(one.step, one.revision) for one in map(answered, outcomes)]
    assert told == [(108, a.revision), (8, b.revision)]


def test_whoever_always_loses_gets_a_conflict_and_changes_nothing(models: Models) -> None:
    store = RacedStore(lambda store: rival_step(store, "a"), times=1_000)
    store.create(weather("a"))
    store.create(weather("b"))
    lost, won = stepper(models, store).run([request("a"), request("b")])
    assert isinstance(lost, SessionContended)
    assert lost.session_id == "a"
    assert answered(won).step == 8
    assert store.left == 1_000 - MAX_ATTEMPTS
    assert found_in(store, "a").step == 7 + 100 * MAX_ATTEMPTS, "only the rival moved it"


def test_the_last_attempt_may_win(models: Models) -> None:
    store = RacedStore(lambda store: rival_step(store, "a"), times=MAX_ATTEMPTS - 1)
    store.create(weather("a"))
    outcome = answered(stepper(models, store).run([request("a")])[0])
    assert outcome.step == 7 + 100 * (MAX_ATTEMPTS - 1) + 1


def test_a_session_deleted_in_between_is_not_found(models: Models) -> None:
    store = RacedStore(lambda store: store.remove(Identity("", "a")), times=1)
    store.create(weather("a"))
    outcome = stepper(models, store).run([request("a")])[0]
    assert isinstance(outcome, SessionNotFound)
    assert read(store, "a") is None


def test_a_session_replaced_in_between_by_one_of_the_same_id(models: Models) -> None:
    """Deleted and created anew: the step must not land on a state it was not computed from."""

    def renew(store: MemoryStore) -> None:
        state = np.zeros(6, np.float32)
        made_anew(store, weather("a", step=0, revision=6, state=state, created_at=NOW))

    store = RacedStore(renew, times=1)
    store.create(weather("a", revision=5))
    outcome = answered(stepper(models, store).run([request("a")])[0])
    assert outcome.step == 1


def test_a_store_that_fails_changes_nothing(models: Models) -> None:
    store = FailingStore()
    store.create(weather("a"))
    outcomes = stepper(models, store).run([request("a"), request("nobody")])
    assert [type(outcome) for outcome in outcomes] == [StoreError, SessionNotFound]
    assert same(read(store, "a"), weather("a"))


def test_each_fault_is_for_its_own_request(models: Models) -> None:
    store = holding(
        weather("good"),
        weather("old", expires_at=NOW),
        weather("bad"),
        weather("gone", version=9),
    )
    outcomes = stepper(models, store).run(
        [
            request("nobody"),
            request("old"),
            request("bad", [ROW, [20.0, 1000.0]]),
            request("gone"),
            request("good"),
        ]
    )
    kinds = [SessionNotFound, SessionExpired, InvalidInput, VersionUnavailable, Answer]
    assert [type(outcome) for outcome in outcomes] == kinds
    assert same(read(store, "bad"), weather("bad"))


def test_one_request_in_a_group_that_the_graph_refuses(models: Models) -> None:
    # A state of another width than the model's: nobody looks at it before the graph does.
    wrong = weather("a", state=np.zeros(5, np.float32))
    store = holding(wrong, weather("b"))
    outcomes = stepper(models, store).run([request("a"), request("b")])
    assert isinstance(outcomes[0], Exception)
    assert answered(outcomes[1]).step == 8
    assert same(read(store, "a"), wrong)


class FailingWhenReadAgain(RacedStore):
    """A raced store that answers one read."""

    def __init__(self) -> None:
        super().__init__(lambda store: rival_step(store, "b"), times=1)
        self.reads = 0

    def read(self, identities: Sequence[Identity]) -> list[Found]:
        self.reads += 1
        if self.reads == 3:  # the rival's is the second
            return [StoreError("away")] * len(identities)
        return super().read(identities)


def test_whoever_is_committed_is_answered_though_the_store_fails_for_a_neighbour(
    models: Models,
) -> None:
    store = FailingWhenReadAgain()
    store.create(weather("a"))
    store.create(weather("b"))
    first, second = stepper(models, store).run([request("a"), request("b")])
    assert answered(first).step == 8
    assert isinstance(second, StoreError)
    assert found_in(store, "b").step == 107, "only the rival moved it"


class BusyWhenTriedAgain(RacedStore):
    """A real store whose second commit would have to wait, on an event loop."""

    def __init__(self) -> None:
        super().__init__(lambda store: rival_step(store, "a"), times=1)
        self.commits = 0

    def advance(self, moves: Sequence[Moves]) -> list[Replaced]:
        self.commits += 1
        if self.commits == 2:
            raise MustWait
        return super().advance(moves)


def test_a_group_that_is_committed_in_part_is_not_done_again(models: Models) -> None:
    store = BusyWhenTriedAgain()
    for session_id in "ab":
        store.create(weather(session_id))
    outcomes = stepper(models, store).run([request("a"), request("b")])
    assert [answered(one).step for one in outcomes] == [108, 8]
    assert (found_in(store, "a").step, found_in(store, "b").step) == (108, 8)
    assert store.commits == 3


def test_a_group_of_which_nothing_is_committed_may_be_done_again(models: Models) -> None:
    store = BusyWhenTriedAgain()
    store.create(weather("b"))
    store.commits, store.left = 1, 0
    run = stepper(models, store).run
    with pytest.raises(MustWait):
        run([request("b")])
    assert answered(run([request("b")])[0]).step == 8


def test_no_requests(models: Models) -> None:
    assert stepper(models, ManualStore()).run([]) == []
