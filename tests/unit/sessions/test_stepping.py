"""Groups of steps against real stores and graphs, with other writers in between."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from service.bundle.manifest import Manifest
from service.engine.models import Models
from service.errors import (
    InvalidInput,
    ModelNotFound,
    SessionExpired,
    SessionNotFound,
    StepConflict,
    StoreError,
)
from service.sessions.stepping import MAX_ATTEMPTS, StepAnswer, Stepper, StepRequest
from service.stores.memory import MemoryStore
from service.stores.store import Session
from tests.bundles import served_models
from tests.contract.sessions import moved, same, session
from tests.oracle import Oracle, assert_agrees

ORACLE = Oracle(served_models()[0].network)
ROW = [20.0, 1000.0, 0.5]
NOW = 1_000.0


class RacedStore(MemoryStore):
    """A real store, and a writer that is faster whenever a group is about to be committed."""

    def __init__(self, rival: Callable[[MemoryStore], object], times: int) -> None:
        super().__init__()
        self._rival = rival
        self.left = times

    def replace(self, sessions: Sequence[Session]) -> list[bool]:
        if self.left:
            self.left -= 1
            self._rival(self)
        return super().replace(sessions)


class FailingStore(MemoryStore):
    """A real store whose commits fail."""

    def replace(self, sessions: Sequence[Session]) -> list[bool]:
        raise StoreError(f"cannot write {len(sessions)} sessions")


def weather(session_id: str, **fields: object) -> Session:
    state = np.linspace(-0.5, 0.5, 6, dtype=np.float32)
    defaults = {"version": 1, "state": state, "expires_at": NOW + 10, "ttl_seconds": 60.0}
    return session(session_id, **(defaults | fields))


def request(session_id: str, inputs: list[list[float]] | None = None) -> StepRequest:
    array = np.array([ROW] if inputs is None else inputs, np.float32)
    return StepRequest(session_id, lambda _: array, gates=False)


def rival_step(store: MemoryStore, session_id: str) -> None:
    """Another process applies a step of its own."""
    found = store.read([session_id])[0]
    assert found is not None
    MemoryStore.replace(store, [moved(found, step=found.step + 100)])


def stepper(models: Models, store: MemoryStore) -> Stepper:
    return Stepper(models, store, lambda: NOW)


def answered(outcome: StepAnswer | Exception) -> StepAnswer:
    assert isinstance(outcome, StepAnswer), outcome
    return outcome


def test_a_step_moves_the_session(models: Models) -> None:
    store = MemoryStore()
    before = weather("a")
    store.create(before)
    inputs = np.array([ROW, [21.0, 990.0, 0.4]], np.float32)
    answer = answered(stepper(models, store).run([request("a", inputs.tolist())])[0])
    trace = ORACLE.run(inputs[np.newaxis], before.state[np.newaxis])
    assert_agrees(answer.computed.outputs, trace.output[0])
    stored = store.read(["a"])[0]
    assert stored is not None
    assert same(stored, answer.session)
    assert_agrees(stored.state, trace.state[0])
    assert (stored.step, stored.revision) == (before.step + 2, before.revision + 1)
    assert stored.expires_at == NOW + 60.0


def test_a_lost_race_is_computed_again_from_what_the_winner_left(models: Models) -> None:
    store = RacedStore(lambda store: rival_step(store, "a"), times=1)
    store.create(weather("a"))
    store.create(weather("b"))
    outcomes = stepper(models, store).run([request("a"), request("b")])
    rival = moved(weather("a"), step=107)
    trace = ORACLE.run(np.array([[ROW]], np.float32), rival.state[np.newaxis])
    a, b = (answered(outcome).session for outcome in outcomes)
    assert (a.step, a.revision) == (108, 2)
    assert_agrees(a.state, trace.state[0])
    assert (b.step, b.revision) == (8, 1), "whoever won is not applied again"
    assert [same(one, found) for one, found in zip((a, b), store.read(["a", "b"]), strict=True)]


def test_whoever_always_loses_gets_a_conflict_and_changes_nothing(models: Models) -> None:
    store = RacedStore(lambda store: rival_step(store, "a"), times=1_000)
    store.create(weather("a"))
    store.create(weather("b"))
    lost, won = stepper(models, store).run([request("a"), request("b")])
    assert isinstance(lost, StepConflict)
    assert lost.session_id == "a"
    assert answered(won).session.step == 8
    assert store.left == 1_000 - MAX_ATTEMPTS
    found = store.read(["a"])[0]
    assert found is not None
    assert found.step == 7 + 100 * MAX_ATTEMPTS, "only the rival moved it"


def test_the_last_attempt_may_win(models: Models) -> None:
    store = RacedStore(lambda store: rival_step(store, "a"), times=MAX_ATTEMPTS - 1)
    store.create(weather("a"))
    outcome = answered(stepper(models, store).run([request("a")])[0])
    assert outcome.session.step == 7 + 100 * (MAX_ATTEMPTS - 1) + 1


def test_a_session_deleted_in_between_is_not_found(models: Models) -> None:
    store = RacedStore(lambda store: store.delete("a"), times=1)
    store.create(weather("a"))
    outcome = stepper(models, store).run([request("a")])[0]
    assert isinstance(outcome, SessionNotFound)
    assert store.read(["a"]) == [None]


def test_a_session_replaced_in_between_by_one_of_the_same_id(models: Models) -> None:
    """Deleted and created anew: the step must not land on a state it was not computed from."""

    def renew(store: MemoryStore) -> None:
        store.delete("a")
        store.create(weather("a", step=0, state=np.zeros(6, np.float32)))

    store = RacedStore(renew, times=1)
    store.create(weather("a", revision=5))
    outcome = answered(stepper(models, store).run([request("a")])[0])
    assert outcome.session.step == 1


def test_a_store_that_fails_changes_nothing(models: Models) -> None:
    store = FailingStore()
    store.create(weather("a"))
    with pytest.raises(StoreError, match="cannot write 1 sessions"):
        stepper(models, store).run([request("a"), request("nobody")])
    assert same(store.read(["a"])[0], weather("a"))


def test_each_fault_is_for_its_own_request(models: Models) -> None:
    store = MemoryStore()
    for one in (
        weather("good"),
        weather("old", expires_at=NOW),
        weather("bad"),
        weather("gone", version=9),
    ):
        store.create(one)

    def refuse(_: Manifest) -> NDArray[Any]:
        raise InvalidInput.at("$.inputs", "bad")

    outcomes = stepper(models, store).run(
        [
            request("nobody"),
            request("old"),
            StepRequest("bad", refuse, gates=False),
            request("gone"),
            request("good"),
        ]
    )
    kinds = [SessionNotFound, SessionExpired, InvalidInput, ModelNotFound, StepAnswer]
    assert [type(outcome) for outcome in outcomes] == kinds
    assert same(store.read(["bad"])[0], weather("bad"))


def test_one_request_in_a_group_that_the_graph_refuses(models: Models) -> None:
    store = MemoryStore()
    store.create(weather("a"))
    store.create(weather("b"))
    wrong = StepRequest("a", lambda _: np.zeros((1, 2), np.float32), gates=False)
    outcomes = stepper(models, store).run([wrong, request("b")])
    assert isinstance(outcomes[0], Exception)
    assert answered(outcomes[1]).session.step == 8
    assert same(store.read(["a"])[0], weather("a"))


def test_no_requests(models: Models) -> None:
    assert stepper(models, MemoryStore()).run([]) == []
