"""Groups of steps against real stores and graphs, with other writers in between."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from service.bundle.manifest import Manifest
from service.engine.models import Models
from service.errors import (
    AnswerNotKept,
    CommitUnknown,
    InvalidInput,
    KeyReused,
    PreconditionFailed,
    SessionContended,
    SessionExpired,
    SessionNotFound,
    StepConflict,
    StoreError,
    VersionUnavailable,
)
from service.sessions.answers import Answer
from service.sessions.changing import MAX_ATTEMPTS
from service.sessions.conditions import ANY, Conditions, tag
from service.sessions.receipts import KEPT_ANSWER_BYTES, KEPT_RECEIPTS, Key
from service.sessions.stepping import Stepper, StepRequest
from service.stores.memory import MemoryStore
from service.stores.store import Found, Replaced, Session
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

    def replace(self, sessions: Sequence[Session]) -> list[Replaced]:
        if self.left:
            self.left -= 1
            self._rival(self)
        return super().replace(sessions)


class FailingStore(MemoryStore):
    """A real store whose commits fail."""

    def replace(self, sessions: Sequence[Session]) -> list[Replaced]:
        raise StoreError(f"cannot write {len(sessions)} sessions")


def weather(session_id: str, **fields: object) -> Session:
    state = np.linspace(-0.5, 0.5, 6, dtype=np.float32)
    defaults = {"version": 1, "state": state, "expires_at": NOW + 10, "ttl_seconds": 60.0}
    return session(session_id, **(defaults | fields))


def request(
    session_id: str,
    inputs: list[list[float]] | None = None,
    *,
    gates: bool = False,
    key: Key | None = None,
    at: int | None = None,
    if_match: frozenset[str] | None = None,
) -> StepRequest:
    array = np.array([ROW] if inputs is None else inputs, np.float32)
    return StepRequest(session_id, lambda _: array, gates, Conditions(key, at, if_match))


def rival_step(store: MemoryStore, session_id: str) -> None:
    """Another process applies a step of its own."""
    found = whole(store.read([session_id])[0])
    MemoryStore.replace(store, [moved(found, step=found.step + 100)])


def whole(found: Found) -> Session:
    assert isinstance(found, Session)
    return found


def stepper(models: Models, store: MemoryStore) -> Stepper:
    return Stepper(models, store, lambda: NOW)


def answered(outcome: Answer | Exception) -> Answer:
    assert isinstance(outcome, Answer), outcome
    return outcome


def test_a_step_moves_the_session(models: Models) -> None:
    store = MemoryStore()
    before = weather("a")
    store.create(before)
    inputs = np.array([ROW, [21.0, 990.0, 0.4]], np.float32)
    answer = answered(stepper(models, store).run([request("a", inputs.tolist())])[0])
    trace = ORACLE.run(inputs[np.newaxis], before.state[np.newaxis])
    assert_agrees(answer.result.outputs, trace.output[0])
    stored = whole(store.read(["a"])[0])
    assert (answer.step, answer.revision) == (stored.step, stored.revision)
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
    assert [(one.step, one.revision) for one in map(answered, outcomes)] == [(108, 2), (8, 1)]
    a, b = map(whole, store.read(["a", "b"]))
    assert_agrees(a.state, trace.state[0])
    assert (a.step, a.revision) == (108, 2)
    assert (b.step, b.revision) == (8, 1), "whoever won is not applied again"


def test_whoever_always_loses_gets_a_conflict_and_changes_nothing(models: Models) -> None:
    store = RacedStore(lambda store: rival_step(store, "a"), times=1_000)
    store.create(weather("a"))
    store.create(weather("b"))
    lost, won = stepper(models, store).run([request("a"), request("b")])
    assert isinstance(lost, SessionContended)
    assert lost.session_id == "a"
    assert answered(won).step == 8
    assert store.left == 1_000 - MAX_ATTEMPTS
    assert whole(store.read(["a"])[0]).step == 7 + 100 * MAX_ATTEMPTS, "only the rival moved it"


def test_the_last_attempt_may_win(models: Models) -> None:
    store = RacedStore(lambda store: rival_step(store, "a"), times=MAX_ATTEMPTS - 1)
    store.create(weather("a"))
    outcome = answered(stepper(models, store).run([request("a")])[0])
    assert outcome.step == 7 + 100 * (MAX_ATTEMPTS - 1) + 1


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
    assert outcome.step == 1


def test_a_store_that_fails_changes_nothing(models: Models) -> None:
    store = FailingStore()
    store.create(weather("a"))
    outcomes = stepper(models, store).run([request("a"), request("nobody")])
    assert [type(outcome) for outcome in outcomes] == [StoreError, SessionNotFound]
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
    kinds = [SessionNotFound, SessionExpired, InvalidInput, VersionUnavailable, Answer]
    assert [type(outcome) for outcome in outcomes] == kinds
    assert same(store.read(["bad"])[0], weather("bad"))


def test_one_request_in_a_group_that_the_graph_refuses(models: Models) -> None:
    store = MemoryStore()
    store.create(weather("a"))
    store.create(weather("b"))
    wrong = StepRequest("a", lambda _: np.zeros((1, 2), np.float32), gates=False)
    outcomes = stepper(models, store).run([wrong, request("b")])
    assert isinstance(outcomes[0], Exception)
    assert answered(outcomes[1]).step == 8
    assert same(store.read(["a"])[0], weather("a"))


KEY = Key.of(b"first", b"steps", b"body")


def test_a_retry_is_answered_and_not_applied(models: Models) -> None:
    store = MemoryStore()
    store.create(weather("a"))
    run = stepper(models, store).run
    first = answered(run([request("a", key=KEY, gates=True)])[0])
    left = whole(store.read(["a"])[0])
    again = answered(run([request("a", key=KEY, gates=True)])[0])
    assert same(store.read(["a"])[0], left)
    assert (again.replayed, first.replayed) == (True, False)
    assert (again.step, again.revision) == (first.step, first.revision)
    assert again.result.outputs.tobytes() == first.result.outputs.tobytes()
    assert again.result.gates is not None and first.result.gates is not None
    for name in ("reset", "update", "candidate", "hidden"):
        one, other = getattr(again.result.gates, name), getattr(first.result.gates, name)
        assert one.tobytes() == other.tobytes()


def test_a_retry_after_other_steps_has_the_answer_of_then(models: Models) -> None:
    store = MemoryStore()
    store.create(weather("a"))
    run = stepper(models, store).run
    first = answered(run([request("a", key=KEY)])[0])
    for number in range(KEPT_RECEIPTS - 1):
        run([request("a"), request("a", key=Key.of(b"%d" % number, b"steps", b""))])
    again = answered(run([request("a", key=KEY)])[0])
    assert (again.step, again.revision, again.replayed) == (first.step, first.revision, True)
    assert again.result.outputs.tobytes() == first.result.outputs.tobytes()


@pytest.mark.parametrize("neighbours", [0, 3])
def test_an_answer_too_large_to_keep_is_computed_again_bit_by_bit(
    models: Models, neighbours: int
) -> None:
    store = MemoryStore()
    others = [f"other-{number}" for number in range(neighbours)]
    for session_id in ["a", *others]:
        store.create(weather(session_id))
    run = stepper(models, store).run
    rows = np.random.default_rng(0).normal((20, 1000, 0.5), (5, 10, 0.2), (400, 3)).tolist()
    assert 4 * 3 * len(rows) > KEPT_ANSWER_BYTES
    group = [request(one, rows) for one in others]
    first = answered(run([*group, request("a", rows, key=KEY)])[-1])
    run([request("a")])
    again = answered(run([request("a", rows, key=KEY)])[0])
    assert again.result.outputs.tobytes() == first.result.outputs.tobytes()
    assert (again.step, again.revision, again.replayed) == (first.step, first.revision, True)
    assert whole(store.read(["a"])[0]).step == first.step + 1
    run([request("a", key=Key.of(b"second", b"steps", b""))])
    assert isinstance(run([request("a", rows, key=KEY)])[0], AnswerNotKept)


def test_a_key_with_another_request_changes_nothing(models: Models) -> None:
    store = MemoryStore()
    store.create(weather("a"))
    run = stepper(models, store).run
    run([request("a", key=KEY)])
    left = whole(store.read(["a"])[0])
    for other in (Key.of(b"first", b"steps", b"more"), Key.of(b"first", b"rollout", b"body")):
        assert isinstance(run([request("a", key=other)])[0], KeyReused)
    assert same(store.read(["a"])[0], left)


def test_conditions_are_looked_at_again_after_a_lost_race(models: Models) -> None:
    before = weather("a")
    for conditional, refusal in (
        (request("a", at=before.step), StepConflict),
        (request("a", if_match=frozenset([tag(before)])), PreconditionFailed),
        (request("a", if_match=frozenset([ANY])), None),
    ):
        store = RacedStore(lambda store: rival_step(store, "a"), times=1)
        store.create(before)
        outcome = stepper(models, store).run([conditional])[0]
        if refusal is None:
            assert answered(outcome).step == before.step + 101
            continue
        assert isinstance(outcome, refusal)
        assert (outcome.step, outcome.tag) == (before.step + 100, f"{before.revision + 1:x}")
        assert whole(store.read(["a"])[0]).step == before.step + 100


def test_a_retry_is_recognised_before_its_conditions(models: Models) -> None:
    store = MemoryStore()
    before = weather("a")
    store.create(before)
    run = stepper(models, store).run
    keyed = request("a", key=KEY, at=before.step, if_match=frozenset([tag(before)]))
    first = answered(run([keyed])[0])
    assert answered(run([keyed])[0]).step == first.step


def test_a_rival_that_applied_the_same_request_is_believed(models: Models) -> None:
    """Two replicas get two tries of one request at once: the slower one answers it, unapplied."""

    def faster(store: MemoryStore) -> None:
        answered(stepper(models, store).run([request("a", key=KEY)])[0])

    store = RacedStore(faster, times=1)
    store.create(weather("a"))
    outcome = answered(stepper(models, store).run([request("a", key=KEY)])[0])
    assert outcome.replayed
    assert whole(store.read(["a"])[0]).step == 8


class ForgetfulStore(MemoryStore):
    """A real store whose connection breaks between the change and its confirmation."""

    def replace(self, sessions: Sequence[Session]) -> list[Replaced]:
        super().replace(sessions)
        return [CommitUnknown("no confirmation")] * len(sessions)


def test_an_unknown_commit_is_not_tried_again(models: Models) -> None:
    store = ForgetfulStore()
    store.create(weather("a"))
    run = stepper(models, store).run
    assert isinstance(run([request("a", key=KEY)])[0], CommitUnknown)
    assert whole(store.read(["a"])[0]).step == 8
    assert answered(run([request("a", key=KEY)])[0]).step == 8, "the retry finds its receipt"


def test_no_requests(models: Models) -> None:
    assert stepper(models, MemoryStore()).run([]) == []
