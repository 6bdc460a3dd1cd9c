"""A store that has lost what it had confirmed: a copy proves it, and nobody goes on unasked."""

import asyncio
import copy
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence

import numpy as np
import pytest

from service.batcher.batcher import Deferred
from service.errors import (
    MustWait,
    PreconditionFailed,
    SessionFellBack,
    SessionFinished,
    SessionNotFound,
    StepConflict,
    StoreError,
)
from service.metrics.catalogue import FELL_BACK
from service.operations.conditions import ANY, Conditions
from service.operations.inputs import JsonRows
from service.operations.keys import Key
from service.operations.requests import Delete, Fork, Get, Migrate, NewSession, PutState
from service.operations.rollout import Rollout
from service.repository.models import Models
from service.sessions.admission import tag
from service.sessions.answers import Answer
from service.sessions.reader import Reader, fell_back
from service.sessions.recent import Recent
from service.sessions.sessions import Sessions
from service.stores.store import Found, Identity, Replaced, Session
from tests.contract.sessions import found_in, read, same
from tests.unit.sessions.serving import serving
from tests.unit.sessions.steps import (
    NOW,
    RECENT_BYTES,
    ROW,
    ManualStore,
    OneProcess,
    answered,
    made_anew,
    outcome_of,
    request,
    weather,
)

A = weather("a")


class LosingStore(ManualStore):
    """A real store that can be put back to what it was; reads and commits fail while told so."""

    reads_fail = False
    commits_fail = False

    def __init__(self) -> None:
        super().__init__()
        self.create(A)
        self.before_commit: Callable[[], object] | None = None

    def content(self) -> dict[Identity, Session]:
        return copy.copy(self._sessions)

    def put_back(self, content: dict[Identity, Session]) -> None:
        self._sessions = copy.copy(content)

    def read(self, identities: Sequence[Identity]) -> list[Found]:
        if self.reads_fail:
            return [StoreError("being replaced") for _ in identities]
        return super().read(identities)

    def replace(self, sessions: Sequence[Session], expected: Sequence[int]) -> list[Replaced]:
        if self.commits_fail:
            return [StoreError("read only") for _ in sessions]
        rival, self.before_commit = self.before_commit, None
        if rival is not None:
            rival()
        return super().replace(sessions, expected)


class BusyStore(LosingStore):
    """Would have to wait when it is to replace something, so many times."""

    busy = 0

    def replace(self, sessions: Sequence[Session], expected: Sequence[int]) -> list[Replaced]:
        if self.busy:
            self.busy -= 1
            raise MustWait
        return super().replace(sessions, expected)


class Process:
    """One of those that share a store, with copies of its own."""

    def __init__(self, models: Models, store: LosingStore) -> None:
        recent = Recent(RECENT_BYTES)
        self.reader = Reader(store, recent)
        self._run = OneProcess(models, store, recent).run

    def send(
        self,
        *,
        key: Key | None = None,
        at: int | None = None,
        if_match: str | None = None,
        rows: int = 1,
    ) -> object:
        """A step of the session a."""
        tags = None if if_match is None else frozenset([if_match])
        asked = request("a", [ROW] * rows, key=key, at=at, if_match=tags)
        (outcome,) = self._run([asked])
        return outcome

    def step(self, *, key: Key | None = None, at: int | None = None) -> Answer:
        """One that is applied or answered."""
        return answered(self.send(key=key, at=at))


@pytest.fixture
def store() -> LosingStore:
    return LosingStore()


@pytest.fixture
def process(models: Models, store: LosingStore) -> Process:
    """Has seen the session at 10, which the store has at 8."""
    process = Process(models, store)
    process.step(key=Key.of(b"kept:1"))
    earlier = store.content()
    process.step(key=Key.of(b"kept:2"))
    process.step(key=Key.of(b"lost"))
    store.put_back(earlier)
    return process


def stored(store: LosingStore) -> Session:
    return found_in(store, "a")


def check_refused(outcome: object, store: LosingStore, step: int = 8, lost: int = 10) -> None:
    assert isinstance(outcome, SessionFellBack), outcome
    left = stored(store)
    assert (outcome.step, outcome.lost_step, outcome.tag) == (step, lost, tag(left))
    assert (left.step, left.fell_back_from) == (step, lost)


def test_a_step_without_a_condition_is_refused(process: Process, store: LosingStore) -> None:
    before, noticed = stored(store), FELL_BACK._value.get()
    check_refused(process.send(), store)
    left = stored(store)
    assert left.state.tobytes() == before.state.tobytes()
    assert left.receipts == before.receipts
    assert left.expires_at == before.expires_at
    assert left.revision != before.revision, "tags of before do not name what is there now"
    for _ in range(3):
        check_refused(process.send(), store)
    assert same(stored(store), left), "marked once"
    assert FELL_BACK._value.get() == noticed + 1


def test_long_ones_and_another_process_s_as_well(
    models: Models, process: Process, store: LosingStore
) -> None:
    long = process.send(rows=3000)
    assert isinstance(long, Deferred), "computed from the copy, before anybody can know"
    outcome = outcome_of(long)
    assert isinstance(outcome, SessionFellBack)
    check_refused(process.send(rows=3000), store)
    check_refused(Process(models, store).send(), store)


def test_whoever_names_the_present_step_goes_on(process: Process, store: LosingStore) -> None:
    process.send()
    wrong = process.send(at=10)
    assert isinstance(wrong, StepConflict)
    assert wrong.step == 8
    assert stored(store).fell_back_from == 10
    assert process.step(at=8).step == 9
    assert stored(store).fell_back_from is None
    assert process.step().step == 10


def test_naming_it_at_once_is_enough(process: Process, store: LosingStore) -> None:
    """Nobody has been refused before."""
    assert process.step(at=8).step == 9
    assert stored(store).fell_back_from is None
    assert process.step().step == 10


def test_whoever_names_the_present_tag_goes_on(process: Process, store: LosingStore) -> None:
    refused = process.send()
    assert isinstance(refused, SessionFellBack)
    assert isinstance(process.send(if_match="abc"), PreconditionFailed)
    check_refused(process.send(if_match=ANY), store)
    assert answered(process.send(if_match=refused.tag)).step == 9
    assert stored(store).fell_back_from is None


def test_a_tag_of_what_was_lost_names_nothing(process: Process, store: LosingStore) -> None:
    lost = process.step(key=Key.of(b"kept:1"))
    assert isinstance(process.send(if_match=f"{lost.revision:x}"), PreconditionFailed)
    assert stored(store).step == 8


@pytest.mark.parametrize("noticed", [True, False])
def test_a_retry_whose_receipt_is_still_there_is_answered(
    process: Process, store: LosingStore, *, noticed: bool
) -> None:
    if noticed:
        process.send()
    again = process.step(key=Key.of(b"kept:1"))
    assert (again.step, again.replayed) == (8, True)
    check_refused(process.send(), store)


@pytest.mark.parametrize("key", [b"lost", b"kept:2", b"new", b"kept:3"])
def test_no_other_key_is_applied(process: Process, store: LosingStore, key: bytes) -> None:
    """Neither a new one nor one that was applied and lost: its first answer has been given."""
    for _ in range(2):
        check_refused(process.send(key=Key.of(key)), store)


@pytest.mark.usefixtures("process")
def test_a_process_that_began_later_cannot_know(models: Models, store: LosingStore) -> None:
    assert Process(models, store).step().step == 9
    assert stored(store).fell_back_from is None


def test_others_went_on_to_as_many_changes(
    models: Models, process: Process, store: LosingStore
) -> None:
    other = Process(models, store)
    other.step()
    other.step()
    check_refused(process.send(), store, step=10)
    check_refused(other.send(), store, step=10)


def test_another_session_under_the_id_is_another_one(process: Process, store: LosingStore) -> None:
    made_anew(store, weather("a", created_at=NOW, revision=99, changes=1))
    assert process.step().step == 8
    assert stored(store).fell_back_from is None


def test_a_session_that_is_gone(process: Process, store: LosingStore) -> None:
    """Fallen back to before it was made: there is nothing to be marked."""
    store.put_back({})
    assert isinstance(process.send(), SessionNotFound)


def test_a_copy_of_another_process_marks_nothing_once_more(
    models: Models, store: LosingStore
) -> None:
    first, second = Process(models, store), Process(models, store)
    first.step()
    earlier = store.content()
    for process in (first, second, first, second):
        process.step()
    assert stored(store).step == 12
    store.put_back(earlier)
    check_refused(first.send(), store, lost=11)
    assert first.step(at=8).step == 9
    left = stored(store)
    assert second.step().step == 10, "its copy of step 12 is of what was lost"
    assert stored(store).changes == left.changes + 1
    assert first.step().step == 11


def test_two_notice_it_at_once(models: Models, store: LosingStore) -> None:
    first, second = Process(models, store), Process(models, store)
    first.step()
    earlier = store.content()
    second.step()
    first.step()
    store.put_back(earlier)
    store.before_commit = lambda: setattr(store, "before_commit", lambda: second.send(rows=1))
    check_refused(first.send(), store, lost=9)
    check_refused(first.send(), store, lost=9)


def test_the_session_is_deleted_while_it_is_marked(process: Process, store: LosingStore) -> None:
    process.send()
    fallen = stored(store)
    store.remove(A.identity)
    assert isinstance(process.send(), SessionNotFound)
    store.create(fallen)
    check_refused(process.send(), store)


def test_what_cannot_be_marked_is_marked_later(process: Process, store: LosingStore) -> None:
    store.commits_fail = True
    for _ in range(3):
        outcome = process.send()
        assert type(outcome) is StoreError
        assert stored(store).step == 8
    store.commits_fail = False
    check_refused(process.send(), store)


def test_a_store_that_was_away_before(process: Process, store: LosingStore) -> None:
    """As a store is replaced by an older one: what proves it must outlast the failures."""
    store.commits_fail = store.reads_fail = True
    for _ in range(3):
        assert type(process.send()) is StoreError
    assert type(process.reader.read_one(A.identity)) is StoreError
    store.commits_fail = store.reads_fail = False
    check_refused(process.send(), store)


def test_a_store_that_was_away_and_lost_nothing(models: Models, store: LosingStore) -> None:
    process = Process(models, store)
    process.step()
    store.commits_fail = store.reads_fail = True
    assert type(process.send()) is StoreError
    store.commits_fail = store.reads_fail = False
    assert process.step().step == 9


@pytest.mark.parametrize(
    ("copied", "found", "expected"),
    [
        ({"changes": 4}, {"changes": 4}, False),
        ({"changes": 5}, {"changes": 4, "revision": 1}, True),
        ({"changes": 4}, {"changes": 4, "revision": 1}, True),
        ({"changes": 4}, {"changes": 5, "revision": 1}, False),
        ({"changes": 5}, {"changes": 4, "revision": 1, "created_at": NOW}, False),
        # Not counted by an older release: nothing is known.
        ({"changes": 5}, {"changes": 0, "revision": 1}, False),
        ({"changes": 0}, {"changes": 0, "revision": 1}, False),
        ({"changes": 0}, {"changes": 5, "revision": 1}, False),
    ],
)
def test_what_a_copy_proves(
    copied: dict[str, object], found: dict[str, object], *, expected: bool
) -> None:
    assert fell_back(weather("a", **copied), weather("a", **found)) is expected


@pytest.fixture
async def sessions(models: Models, store: LosingStore) -> AsyncIterator[Sessions]:
    """A service that has seen the session at 10, which the store has at 8."""
    async with serving(models, store) as sessions:
        await sessions.step(request("a"))
        earlier = store.content()
        await sessions.step(request("a"))
        await sessions.step(request("a"))
        store.put_back(earlier)
        yield sessions


async def test_steps_that_were_sent_together(sessions: Sessions, store: LosingStore) -> None:
    sent = [asyncio.ensure_future(sessions.step(request("a"))) for _ in range(5)]
    outcomes = await asyncio.gather(*sent, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [SessionFellBack] * 5
    assert stored(store).step == 8


async def test_looking_shows_it(sessions: Sessions) -> None:
    for _ in range(2):
        session = await sessions.get(Get("a"))
        assert (session.step, session.fell_back_from) == (8, 10)
    await sessions.step(request("a", at=8))
    assert (await sessions.get(Get("a"))).fell_back_from is None


STATE = np.full(6, 0.25, np.float32)
ROWS = JsonRows([ROW])
AT, NOTHING = Conditions(at=8), Conditions()
Ask = Callable[[Sessions, Conditions], Coroutine[object, object, object]]
ASKED: dict[str, Ask] = {
    "fork": lambda sessions, given: sessions.fork(Fork("a", NewSession("b"), given)),
    "migrate": lambda sessions, given: sessions.migrate(Migrate("a", 1, given)),
    "rollout": lambda sessions, given: sessions.rollout(
        Rollout("a", ROWS, 2, advance=True, conditions=given)
    ),
    "look ahead": lambda sessions, given: sessions.rollout(
        Rollout("a", ROWS, 2, advance=False, conditions=given)
    ),
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
async def test_what_goes_on_from_a_state_names_it(
    sessions: Sessions, store: LosingStore, ask: Ask
) -> None:
    for _ in range(2):
        with pytest.raises(SessionFellBack) as raised:
            await ask(sessions, NOTHING)
        assert (raised.value.step, raised.value.lost_step) == (8, 10)
    assert (stored(store).step, stored(store).version) == (8, 1)
    assert read(store, "b") is None
    await ask(sessions, AT)


@pytest.mark.parametrize(
    ("what", "clears"), [("migrate", True), ("rollout", True), ("fork", False)]
)
async def test_what_changes_the_session_clears_the_mark(
    sessions: Sessions, store: LosingStore, what: str, *, clears: bool
) -> None:
    await sessions.get(Get("a"))
    await ASKED[what](sessions, AT)
    assert (stored(store).fell_back_from is None) == clears
    if what == "fork":
        fork = found_in(store, "b")
        assert (fork.step, fork.fell_back_from) == (8, None)


@pytest.mark.parametrize("key", [None, Key.of(b"k")])
async def test_whoever_puts_a_state_need_not_know_the_present_one(
    sessions: Sessions, store: LosingStore, key: Key | None
) -> None:
    await sessions.put_state(PutState("a", 10, STATE, conditions=Conditions(key)))
    left = stored(store)
    assert (left.step, left.fell_back_from) == (10, None)
    assert (await sessions.step(request("a"))).step == 11


async def test_it_can_be_deleted(sessions: Sessions, store: LosingStore) -> None:
    await sessions.get(Get("a"))
    await sessions.delete(Delete("a"))
    assert stored(store).finished
    with pytest.raises(SessionFinished):
        await sessions.step(request("a"))


def test_a_store_that_would_have_to_wait_leaves_the_proof(models: Models) -> None:
    """What cannot be marked on the event loop is marked by the worker."""
    store = BusyStore()
    process = Process(models, store)
    earlier = store.content()
    for _ in range(3):
        answered(process.send())
    store.put_back(earlier)
    store.busy = 1
    with pytest.raises(MustWait):
        process.reader.read_one(Identity("", "a"))
    assert isinstance(process.send(), SessionFellBack)
