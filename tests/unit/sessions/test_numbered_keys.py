"""Requests that count: a number is applied once, however often and in whatever order it comes."""

from collections.abc import Iterator
from itertools import count

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.errors import (
    AnswerNotKept,
    KeyReused,
    SessionDamaged,
    SessionFinished,
    StepConflict,
    WriterUnknown,
)
from service.operations.conditions import Conditions
from service.operations.inputs import JsonRows
from service.operations.keys import MAX_NUMBER, Key
from service.operations.requests import Create, Delete, Fork, Migrate, NewSession, PutState
from service.operations.rollout import Rollout
from service.repository.models import Models
from service.sessions.admission import tag
from service.sessions.answers import Answer
from service.sessions.receipts import KEPT_RECEIPTS, KEPT_WRITERS
from tests.contract.sessions import found_in, same
from tests.unit.sessions.serving import serving
from tests.unit.sessions.steps import (
    ROW,
    ManualStore,
    answered,
    holding,
    request,
    stepper,
    weather,
)


class Writers:
    """Any writers of the session a, which has consumed 7 steps."""

    def __init__(self, models: Models) -> None:
        self.store = holding(weather("a"))
        self._models = models
        self._run = stepper(models, self.store).run

    def send(self, writer: str, number: int, steps: int = 1, at: int | None = None) -> object:
        """A step with the key WRITER:NUMBER, that is as long as `steps` says."""
        key = Key.of(f"{writer}:{number}".encode())
        (outcome,) = self._run([request("a", [ROW] * steps, key=key, at=at)])
        return outcome

    def restart(self) -> None:
        """Another process goes on."""
        self._run = stepper(self._models, self.store).run

    @property
    def step(self) -> int:
        return found_in(self.store, "a").step


@pytest.fixture
def writers(models: Models) -> Writers:
    return Writers(models)


def test_numbers_are_applied_once(writers: Writers) -> None:
    first = answered(writers.send("w", 1))
    second = answered(writers.send("w", 2))
    assert [first.step, second.step] == [8, 9]
    for number, before in ((2, second), (1, first)):
        again = answered(writers.send("w", number))
        assert (again.step, again.revision, again.replayed) == (before.step, before.revision, True)
        assert again.result.outputs.tobytes() == before.result.outputs.tobytes()
    assert answered(writers.send("w", 5)).step == 10, "numbers may be left out"
    late = writers.send("w", 4)
    assert isinstance(late, AnswerNotKept)
    assert (late.step, late.applied_step) == (10, None)
    assert late.tag == tag(found_in(writers.store, "a"))
    assert writers.step == 10


def test_what_was_applied_long_ago_is_not_applied_again(writers: Writers) -> None:
    for number in range(1, KEPT_RECEIPTS + 3):
        writers.send("w", number)
    left = found_in(writers.store, "a")
    for number in (1, 2):
        assert isinstance(writers.send("w", number), AnswerNotKept)
    assert answered(writers.send("w", 3)).replayed, "its answer is the oldest of those kept"
    assert same(found_in(writers.store, "a"), left)


def test_others_may_push_the_receipt_of_the_highest_number_out(writers: Writers) -> None:
    writers.send("w", 1)
    for number in range(1, KEPT_RECEIPTS + 1):
        writers.send("v", number)
    left = found_in(writers.store, "a")
    assert isinstance(writers.send("w", 1), AnswerNotKept)
    assert same(found_in(writers.store, "a"), left)
    assert answered(writers.send("w", 2)).step == left.step + 1


def test_writers_count_for_themselves(writers: Writers) -> None:
    for number in (1, 2, 3):
        assert answered(writers.send("v", number)).step == 7 + 2 * number - 1
        assert answered(writers.send("w", number)).step == 7 + 2 * number


def test_a_number_with_another_request(writers: Writers) -> None:
    writers.send("w", 1)
    assert isinstance(writers.send("w", 1, steps=2), KeyReused)
    assert writers.step == 8


@pytest.mark.parametrize("number", [2, 7, MAX_NUMBER])
def test_a_writer_that_is_not_known_begins_at_1(writers: Writers, number: int) -> None:
    refused = writers.send("w", number)
    assert isinstance(refused, WriterUnknown)
    assert (refused.step, refused.tag) == (7, tag(weather("a")))
    assert same(found_in(writers.store, "a"), weather("a"))


def test_the_highest_number(writers: Writers) -> None:
    writers.send("w", 1)
    assert answered(writers.send("w", MAX_NUMBER)).step == 9
    assert isinstance(writers.send("w", MAX_NUMBER - 1), AnswerNotKept)
    assert answered(writers.send("w", MAX_NUMBER)).replayed


def test_a_refused_request_leaves_its_number_free(writers: Writers) -> None:
    assert isinstance(writers.send("w", 1, at=3), StepConflict)
    assert found_in(writers.store, "a").writers == b""
    assert answered(writers.send("w", 1)).step == 8


def test_the_numbers_of_a_thousand_steps_take_16_bytes(writers: Writers) -> None:
    for number in range(1, 1001):
        writers.send("w", number)
    left = found_in(writers.store, "a")
    assert (left.step, len(left.writers)) == (1007, 16)
    assert isinstance(writers.send("w", 500), AnswerNotKept)


def forget_first(writers: Writers) -> None:
    """The writer w0 applies 1, and then as many others as a session remembers."""
    for number in range(KEPT_WRITERS):
        assert isinstance(writers.send(f"w{number}", 1), Answer)
    assert isinstance(writers.send(f"w{KEPT_WRITERS}", 1, at=7 + KEPT_WRITERS), Answer)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_writer_that_was_forgotten_is_not_taken_for_a_new_one(
    writers: Writers, number: int
) -> None:
    """Its number 1 above all: that is how a new one begins."""
    forget_first(writers)
    left = found_in(writers.store, "a")
    assert len(left.writers) == 16 * KEPT_WRITERS
    for _ in range(2):
        assert isinstance(writers.send("w0", number), WriterUnknown)
        writers.restart()
    assert same(found_in(writers.store, "a"), left)
    assert answered(writers.send("w1", 2)).step == left.step + 1, "the others are known"


def test_a_new_writer_among_many_names_the_state(writers: Writers) -> None:
    forget_first(writers)
    step = writers.step
    assert isinstance(writers.send("new", 1), WriterUnknown)
    assert isinstance(writers.send("w0", 1, at=7), StepConflict), "a try of long ago"
    assert answered(writers.send("new", 1, at=step)).step == step + 1
    assert answered(writers.send("new", 2)).step == step + 2


def test_those_that_wrote_last_are_remembered(writers: Writers) -> None:
    for number in range(KEPT_WRITERS):
        writers.send(f"w{number}", 1)
    writers.send("w0", 2)
    writers.send("new", 1, at=writers.step)
    assert isinstance(writers.send("w1", 2), WriterUnknown)
    assert answered(writers.send("w0", 3)).step == writers.step


def test_damaged_writers_are_their_session_s_own_fault(models: Models) -> None:
    store = holding(weather("a", writers=Key.of(b"w:1").writer + b"short"), weather("b"))
    key = Key.of(b"w:1")
    outcomes = stepper(models, store).run([request("a", key=key), request("b", key=key)])
    assert isinstance(outcomes[0], SessionDamaged)
    assert answered(outcomes[1]).step == 8


def test_a_digest_across_two_writers_is_none(models: Models) -> None:
    """Bytes that are a writer's digest, but not where one begins."""
    digest = Key.of(b"w:1").writer
    store = holding(weather("a", writers=b"1234" + digest + b"5678"))
    (outcome,) = stepper(models, store).run([request("a", key=Key.of(b"w:2"))])
    assert isinstance(outcome, WriterUnknown)


async def test_every_operation_counts(models: Models) -> None:
    """Made with number 1, then changed in all ways; and every late try of any of them."""
    numbers: Iterator[int] = count(1)

    def key() -> Key:
        return Key.of(b"w:%d" % next(numbers))

    async with serving(models, ManualStore()) as sessions:
        new = NewSession("a")
        create = Create("weather", new, key=key())
        step = request("a", key=key())
        put = PutState("a", 5, np.zeros(6, np.float32), conditions=Conditions(key()))
        migrate = Migrate("a", 1, Conditions(key()))
        rollout = Rollout("a", JsonRows([ROW]), 2, advance=True, conditions=Conditions(key()))
        assert not (await sessions.create(create))[1]
        assert (await sessions.step(step)).step == 1
        assert (await sessions.put_state(put))[0].step == 5
        assert not (await sessions.migrate(migrate))[1]
        assert (await sessions.rollout(rollout)).step == 7
        assert (await sessions.create(create))[1]
        assert (await sessions.step(step)).replayed
        assert (await sessions.put_state(put))[1]
        assert (await sessions.migrate(migrate))[1]
        assert (await sessions.rollout(rollout)).replayed
        late = Conditions(Key.of(b"w:3"))
        for refused in (
            sessions.step(request("a", [ROW, ROW], key=Key.of(b"w:3"))),
            sessions.rollout(Rollout("a", JsonRows([ROW]), 2, advance=True, conditions=late)),
            sessions.migrate(Migrate("a", 1, late)),
        ):
            with pytest.raises(KeyReused):
                await refused
        fork = Fork("a", NewSession("b"), Conditions(Key.of(b"w:1")))
        assert (await sessions.fork(fork))[0].step == 7
        assert (await sessions.step(request("b", key=Key.of(b"w:2")))).step == 8
        assert (await sessions.fork(fork))[1]


async def test_a_fork_knows_no_writers_of_its_source(models: Models) -> None:
    store = ManualStore()
    async with serving(models, store) as sessions:
        await sessions.create(Create("weather", NewSession("a"), key=Key.of(b"w:1")))
        await sessions.fork(Fork("a", NewSession("b")))
        assert found_in(store, "b").writers == b""
        with pytest.raises(WriterUnknown):
            await sessions.step(request("b", key=Key.of(b"w:2")))


async def test_a_late_try_of_a_creation_does_not_bring_the_session_back(models: Models) -> None:
    store = ManualStore()
    async with serving(models, store) as sessions:
        create = Create("weather", NewSession("a"), key=Key.of(b"w:1"))
        await sessions.create(create)
        for number in range(20):
            await sessions.step(request("a", key=Key.of(b"%d" % number)))
        await sessions.delete(Delete("a"))
        with pytest.raises(SessionFinished):
            await sessions.create(create)
        with pytest.raises(KeyReused):
            await sessions.create(Create("letters", NewSession("a"), key=Key.of(b"w:1")))
        assert found_in(store, "a").finished
        _, earlier = await sessions.create(Create("weather", NewSession("a"), key=Key.of(b"v:1")))
        assert not earlier


tries = st.lists(st.integers(1, 3), min_size=1, max_size=12)


@given(tries=tries, choices=st.data())
@settings(
    max_examples=60,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_order_of_tries_applies_each_number_once(
    models: Models, tries: list[int], choices: st.DataObject
) -> None:
    """Number N is sent first when N - 1 was answered, its other tries come at any later time.

    Every request is as long as its number, so that the step count says which ones were applied.
    """
    writers = Writers(models)
    late: list[int] = []
    first_answers: dict[int, int] = {}
    for number, times in enumerate(tries, 1):
        outcome = answered(writers.send("w", number, steps=number))
        assert not outcome.replayed
        first_answers[number] = outcome.step
        late += [number] * (times - 1)
        for _ in range(choices.draw(st.integers(0, len(late)))):
            again = late.pop(choices.draw(st.integers(0, len(late) - 1)))
            if choices.draw(st.booleans()):
                writers.restart()
            check_late(writers.send("w", again, steps=again), first_answers[again])
        assert writers.step == 7 + sum(range(number + 1))
    for again in late:
        check_late(writers.send("w", again, steps=again), first_answers[again])
    assert writers.step == 7 + sum(range(len(tries) + 1))


def check_late(outcome: object, first_step: int) -> None:
    """The answer of the first try, or that it is not kept."""
    if not isinstance(outcome, AnswerNotKept):
        again = answered(outcome)
        assert (again.step, again.replayed) == (first_step, True)
