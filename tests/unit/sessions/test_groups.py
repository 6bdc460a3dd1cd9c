"""Steps in one group: what is wrong with one session is no other's fault."""

from collections.abc import Sequence

import numpy as np

from service.batcher.batcher import Deferred, Part
from service.errors import Overloaded, SessionDamaged, SessionNotFound, StoreError
from service.operations.inputs import TensorBlock
from service.operations.keys import Key
from service.operations.requests import Steps
from service.repository.models import Models
from service.sessions.answers import Answered
from service.sessions.reader import Reader
from service.sessions.recent import Recent
from service.sessions.stepping import Stepper
from service.stores.store import Found, Identity, Replaced, Session
from tests.contract.sessions import found_in, same
from tests.unit.sessions.steps import (
    LIMITS,
    RECENT_BYTES,
    ROW,
    ManualStore,
    RacedStore,
    answered,
    recorder_of,
    request,
    rival_step,
    stepper,
    weather,
)


class UnevenStore(ManualStore):
    """A real store of which some sessions cannot be read, and some not be replaced."""

    def __init__(self, *session_ids: str) -> None:
        super().__init__()
        for session_id in session_ids:
            self.create(weather(session_id))
        self.unread: dict[str, StoreError] = {}
        self.unwritten: dict[str, StoreError] = {}

    def read(self, identities: Sequence[Identity]) -> list[Found]:
        found = super().read(identities)
        return [
            self.unread.get(identity.session_id, session)
            for identity, session in zip(identities, found, strict=True)
        ]

    def replace(self, sessions: Sequence[Session], expected: Sequence[int]) -> list[Replaced]:
        return [
            self.unwritten.get(session.session_id) or self._replace(session, revision)
            for session, revision in zip(sessions, expected, strict=True)
        ]


def test_one_is_damaged_and_one_cannot_be_read(models: Models) -> None:
    store = UnevenStore("a", "damaged", "b", "away", "c")
    store.unread = {
        "damaged": SessionDamaged("damaged", "bits have rotted"),
        "away": StoreError("its node is away"),
    }
    ids = ["a", "damaged", "b", "nobody", "away", "c"]
    outcomes = stepper(models, store).run([request(one) for one in ids])
    assert [answered(outcomes[index]).step for index in (0, 2, 5)] == [8, 8, 8]
    assert outcomes[1] is store.unread["damaged"]
    assert outcomes[4] is store.unread["away"]
    assert isinstance(outcomes[3], SessionNotFound)
    store.unread = {}
    assert [found_in(store, one).step for one in ("a", "damaged", "away")] == [8, 7, 7]


def test_a_store_that_answers_no_read_still_steps_those_that_are_known(models: Models) -> None:
    store = UnevenStore("known", "unknown", "too")
    run = stepper(models, store).run
    run([request("known")])
    store.unread = dict.fromkeys(("known", "unknown", "too"), StoreError("cannot be read"))
    outcomes = run([request("unknown"), request("known"), request("too")])
    assert answered(outcomes[1]).step == 9
    assert outcomes[0] is outcomes[2] is store.unread["too"]


def test_one_that_cannot_be_stored(models: Models) -> None:
    store = UnevenStore("a", "full", "b")
    store.unwritten = {"full": StoreError("its node is full")}
    run = stepper(models, store).run
    for step in (8, 9):
        outcomes = run([request("a"), request("full"), request("b")])
        assert [answered(outcomes[index]).step for index in (0, 2)] == [step, step]
        assert outcomes[1] is store.unwritten["full"]
    assert same(found_in(store, "full"), weather("full"))
    store.unwritten = {}
    assert answered(run([request("full")])[0]).step == 8


def test_one_is_damaged_where_only_a_keyed_request_looks(models: Models) -> None:
    store = UnevenStore("a", "b")
    key = Key.of(b"k")
    # One is seen where the key is looked for, the other where its receipt is to join the others.
    store.create(weather("damaged", receipts=key.digest + b"short"))
    store.create(weather("too", receipts=b"short"))
    run = stepper(models, store).run
    for _ in range(2):
        outcomes = run([request(one, key=key) for one in ("a", "damaged", "b", "too")])
        assert [answered(outcomes[index]).step for index in (0, 2)] == [8, 8]
        assert [type(outcomes[index]) for index in (1, 3)] == [SessionDamaged] * 2
    for damaged in ("damaged", "too"):
        assert answered(run([request(damaged)])[0]).step == 8, "its state is sound"


def test_a_long_block_for_which_there_is_no_room_a_second_time(models: Models) -> None:
    """What is committed already is answered as that, though the rest cannot be done again."""
    store = RacedStore(lambda store: rival_step(store, "b"), times=1)
    for session_id in "ab":
        store.create(weather(session_id))
    recent = Recent(RECENT_BYTES)
    inputs = TensorBlock(np.array([[ROW] * 2000] * 2, np.float32))
    block = Steps([Identity("", "a"), Identity("", "b")], inputs)
    run = Stepper(
        models, store, Reader(store, recent), recent, LIMITS, recorder=recorder_of(store)
    ).run
    (long,) = run([Part(block, (0, 1))])
    assert isinstance(long, Deferred)
    again = long.work(lambda: True)()
    assert isinstance(again, Deferred)
    outcome = again.refused(Overloaded("no room"))
    assert isinstance(outcome, Answered)
    assert [answers.rows for answers in outcome.answers] == [[0]]
    assert [(row, type(error)) for row, error in outcome.failures] == [(1, Overloaded)]
    assert (found_in(store, "a").step, found_in(store, "b").step) == (2007, 107)
