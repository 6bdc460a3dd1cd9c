"""Keyed and conditional steps: a retry is answered and not applied."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from service.batcher.batcher import Part
from service.errors import (
    AnswerNotKept,
    CommitUnknown,
    KeyReused,
    PreconditionFailed,
    SessionDamaged,
    StepConflict,
)
from service.operations.conditions import ANY
from service.operations.keys import Key
from service.repository.models import Models
from service.sessions.admission import tag
from service.sessions.receipts import KEPT_ANSWER_BYTES, KEPT_RECEIPTS
from service.stores.memory import MemoryStore
from service.stores.store import Found, Identity, Replaced, Session
from tests.contract.sessions import found_in, read, same
from tests.unit.sessions.steps import (
    ROW,
    ManualStore,
    RacedStore,
    answered,
    holding,
    request,
    rival_step,
    stepper,
    weather,
)

KEY = Key.of(b"first")


def test_a_retry_is_answered_and_not_applied(models: Models) -> None:
    store = holding(weather("a"))
    run = stepper(models, store).run
    first = answered(run([request("a", key=KEY, gates=True)])[0])
    left = found_in(store, "a")
    again = answered(run([request("a", key=KEY, gates=True)])[0])
    assert same(read(store, "a"), left)
    assert (again.replayed, first.replayed) == (True, False)
    assert (again.step, again.revision) == (first.step, first.revision)
    assert again.result.outputs.tobytes() == first.result.outputs.tobytes()
    assert again.result.gates is not None and first.result.gates is not None
    for name in ("reset", "update", "candidate", "hidden"):
        one, other = again.result.gates[name], first.result.gates[name]
        assert one.tobytes() == other.tobytes()


def test_a_retry_after_other_steps_has_the_answer_of_then(models: Models) -> None:
    store = holding(weather("a"))
    run = stepper(models, store).run
    first = answered(run([request("a", key=KEY)])[0])
    for number in range(KEPT_RECEIPTS - 1):
        run([request("a"), request("a", key=Key.of(b"%d" % number))])
    again = answered(run([request("a", key=KEY)])[0])
    assert (again.step, again.revision, again.replayed) == (first.step, first.revision, True)
    assert again.result.outputs.tobytes() == first.result.outputs.tobytes()


class HeldUpStore(ManualStore):
    """A real store that takes so long to read a session that its caller asks somebody else."""

    def __init__(self, meanwhile: Callable[[MemoryStore], object]) -> None:
        super().__init__()
        self._meanwhile: Callable[[MemoryStore], object] | None = meanwhile

    def read(self, identities: Sequence[Identity]) -> list[Found]:
        if self._meanwhile is not None:
            meanwhile, self._meanwhile = self._meanwhile, None
            meanwhile(self)
        return super().read(identities)


def test_what_a_store_has_held_up_is_not_applied_when_its_caller_has_gone(models: Models) -> None:
    gone = False

    def ask_elsewhere(store: MemoryStore) -> None:
        """The retry is applied, and as much after it as pushes its receipt out."""
        nonlocal gone
        gone = True
        other = stepper(models, store)
        for key in (KEY, *(Key.of(b"%d" % number) for number in range(KEPT_RECEIPTS))):
            assert answered(other.run([request("a", key=key)])[0])

    store = HeldUpStore(ask_elsewhere)
    for session_id in "ab":
        store.create(weather(session_id))
    outcomes = stepper(models, store).run_parts(
        [
            Part(request("a", key=KEY), (0,), lambda: gone),
            Part(request("b", key=KEY), (0,)),
        ]
    )
    assert answered(outcomes[1]).step == 8
    assert found_in(store, "a").step == 7 + 1 + KEPT_RECEIPTS, "applied once, and what came after"


@pytest.mark.parametrize("neighbours", [0, 3])
def test_an_answer_too_large_to_keep_is_computed_again_bit_by_bit(
    models: Models, neighbours: int
) -> None:
    others = [f"other-{number}" for number in range(neighbours)]
    store = holding(*map(weather, ["a", *others]))
    run = stepper(models, store).run
    rows = np.random.default_rng(0).normal((20, 1000, 0.5), (5, 10, 0.2), (400, 3)).tolist()
    assert 4 * 3 * len(rows) > KEPT_ANSWER_BYTES
    group = [request(one, rows) for one in others]
    first = answered(run([*group, request("a", rows, key=KEY)])[-1])
    run([request("a")])
    again = answered(run([request("a", rows, key=KEY)])[0])
    assert again.result.outputs.tobytes() == first.result.outputs.tobytes()
    assert (again.step, again.revision, again.replayed) == (first.step, first.revision, True)
    assert found_in(store, "a").step == first.step + 1
    run([request("a", key=Key.of(b"second"))])
    refused = run([request("a", rows, key=KEY)])[0]
    assert isinstance(refused, AnswerNotKept)
    assert (refused.applied_step, refused.step) == (first.step, first.step + 2)


def test_a_key_with_another_request_changes_nothing(models: Models) -> None:
    store = holding(weather("a"))
    run = stepper(models, store).run
    run([request("a", key=KEY)])
    left = found_in(store, "a")
    for other in (
        request("a", [ROW, ROW], key=KEY),
        request("a", gates=True, key=KEY),
        request("a", key=KEY, at=left.step),
    ):
        assert isinstance(run([other])[0], KeyReused)
    assert same(read(store, "a"), left)


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
        left = found_in(store, "a")
        assert (outcome.step, outcome.tag) == (before.step + 100, tag(left))
        assert left.step == before.step + 100


def test_a_retry_is_recognised_before_its_conditions(models: Models) -> None:
    before = weather("a")
    store = holding(before)
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
    assert found_in(store, "a").step == 8


class ForgetfulStore(ManualStore):
    """A real store whose connection breaks between the change and its confirmation."""

    def replace(self, sessions: Sequence[Session], expected: Sequence[int]) -> list[Replaced]:
        super().replace(sessions, expected)
        return [CommitUnknown("no confirmation")] * len(sessions)


def test_an_unknown_commit_is_not_tried_again(models: Models) -> None:
    store = ForgetfulStore()
    store.create(weather("a"))
    run = stepper(models, store).run
    assert isinstance(run([request("a", key=KEY)])[0], CommitUnknown)
    assert found_in(store, "a").step == 8
    assert answered(run([request("a", key=KEY)])[0]).step == 8, "the retry finds its receipt"


def test_damaged_receipts_are_their_sessions_own_fault(models: Models) -> None:
    store = holding(weather("damaged", receipts=b"short"), weather("sound"))
    outcomes = stepper(models, store).run([request("damaged", key=KEY), request("sound", key=KEY)])
    assert isinstance(outcomes[0], SessionDamaged)
    assert answered(outcomes[1]).step == 8
