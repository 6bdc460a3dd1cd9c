"""How sessions begin: once for each keyed request, on whatever replica."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from service.errors import (
    KeyReused,
    SessionExists,
    SessionExpired,
    StoreError,
    TooManySessions,
)
from service.operations.keys import Key
from service.operations.requests import Create, NewSession
from service.repository.models import Models
from service.sessions.capacity import Capacity
from service.sessions.changing import Kept, advanced
from service.sessions.creation import Creation, chosen_id
from service.sessions.reader import Reader
from service.sessions.recent import Recent
from service.stores.store import Found, Identity, Session
from tests.contract.sessions import found_in, read, same
from tests.unit.sessions.steps import NOW, ManualStore

KEY, SECOND_KEY = Key.of(b"first"), Key.of(b"second")
OTHER = NewSession(metadata=b'{"another":"request"}')
DEFAULT_TTL = 60.0


class RacedStore(ManualStore):
    """A real store, and a replica that is faster whenever a session is about to be created."""

    rival: Callable[[], object] | None = None

    def create(self, session: Session) -> None:
        rival, self.rival = self.rival, None
        if rival is not None:
            rival()
        super().create(session)


class Replica:
    """Creation on a store that others use as well."""

    def __init__(self, models: Models, store: ManualStore, max_sessions: int = 100) -> None:
        self.store = store
        self._models = models
        capacity = Capacity(store, max_sessions)
        self.creation = Creation(store, Reader(store, Recent(0)), capacity, DEFAULT_TTL)

    def create(
        self, session_id: str = "a", key: Key | None = KEY, new: NewSession | None = None
    ) -> tuple[Session, bool]:
        asked = Create("weather", new or NewSession(), key=key)
        return self.creation.once(
            Identity("", session_id), lambda: self.make(session_id, new), key, asked.digest()
        )

    def make(self, session_id: str, new: NewSession | None = None) -> Session:
        engine = self._models.default("weather")
        state = engine.initial_states(1)[0]
        identity = Identity("", session_id)
        return self.creation.begin(identity, new or NewSession(), engine.manifest, state)

    def another(self) -> "Replica":
        """One more on the same store."""
        return Replica(self._models, self.store)

    def stored(self, session_id: str = "a") -> Session:
        return found_in(self.store, session_id)

    def step(self, session_id: str = "a") -> None:
        """Some keyed change, later."""
        self.store.clocks.pass_time(1.0)
        before = self.stored(session_id)
        after = advanced(
            before,
            self.store,
            self.store.now(),
            Key.of(b"%d" % before.revision),
            Kept(b"meaning."),
            step=before.step + 1,
            state=before.state + 1,
        )
        assert self.store.replace([after], [before.revision]) == [True]


@pytest.fixture
def store() -> RacedStore:
    return RacedStore()


@pytest.fixture
def replica(models: Models, store: RacedStore) -> Replica:
    return Replica(models, store)


def test_ids_are_the_callers_choice_or_made_from_the_key_or_random() -> None:
    assert chosen_id("mine", KEY, "create") == chosen_id("mine", None, "fork/x") == "mine"
    made = chosen_id(None, KEY, "create")
    assert chosen_id(None, Key.of(b"first"), "create") == made, "every try meets its session"
    others = [
        chosen_id(None, KEY, "fork/a"),
        chosen_id(None, KEY, "fork/b"),
        chosen_id(None, SECOND_KEY, "create"),
        *(chosen_id(None, None, "create") for _ in range(3)),
    ]
    assert len({made, *others}) == 7
    assert all(len(one) == 32 and one.isalnum() for one in (made, *others))


def test_a_new_session(replica: Replica) -> None:
    session, earlier = replica.create(key=None)
    assert not earlier
    assert same(replica.stored(), session)
    assert (session.model, session.version, session.step) == ("weather", 1, 0)
    assert (session.created_at, session.expires_at) == (NOW, NOW + DEFAULT_TTL)
    assert session.changes == 1
    assert (session.ttl_seconds, session.metadata, session.receipts) == (DEFAULT_TTL, b"{}", b"")
    assert not session.state.any()
    given, _ = replica.create("b", None, NewSession("b", 5.0, b'{"site":"north"}'))
    assert (given.expires_at, given.metadata) == (NOW + 5.0, b'{"site":"north"}')


def test_no_revision_comes_twice(replica: Replica) -> None:
    revisions = {replica.make("a").revision for _ in range(20)}
    assert len(revisions) == 20
    assert all(0 <= revision < 2**63 for revision in revisions)


def test_processes_that_begin_together_have_other_revisions() -> None:
    """As one that forks others: they must not go on with the same random numbers."""
    code = "from service.sessions.revisions import fresh_revision; print(fresh_revision())"
    printed = {subprocess.check_output([sys.executable, "-c", code]) for _ in range(2)}
    assert len(printed) == 2


def test_a_retry_gets_the_session_as_it_was_made(replica: Replica) -> None:
    first, _ = replica.create(new=NewSession(ttl_seconds=5.0, metadata=b'{"n":1}'))
    for _ in range(20):
        replica.step()
    left = replica.stored()
    again, earlier = replica.create(new=NewSession(ttl_seconds=5.0, metadata=b'{"n":1}'))
    assert earlier
    assert same(replica.stored(), left)
    for name in ("version", "step", "revision", "created_at", "expires_at", "metadata"):
        assert getattr(again, name) == getattr(first, name), name


@pytest.mark.parametrize("key", [None, SECOND_KEY])
def test_an_id_that_lives(replica: Replica, key: Key | None) -> None:
    first, _ = replica.create()
    with pytest.raises(SessionExists):
        replica.create(key=key)
    assert same(replica.stored(), first)


def test_the_key_with_another_request(replica: Replica) -> None:
    first, _ = replica.create()
    with pytest.raises(KeyReused):
        replica.create(new=OTHER)
    assert same(replica.stored(), first)


def test_two_tries_race_on_two_replicas(replica: Replica, store: RacedStore) -> None:
    slower = replica.another()
    won: list[tuple[Session, bool]] = []
    store.rival = lambda: won.append(replica.create())
    lost, earlier = slower.create()
    (first, was_earlier) = won[0]
    assert (was_earlier, earlier) == (False, True)
    assert lost.revision == first.revision == replica.stored().revision


@pytest.mark.parametrize(
    ("key", "new", "error"),
    [(None, None, SessionExists), (SECOND_KEY, None, SessionExists), (KEY, OTHER, KeyReused)],
)
def test_another_request_wins_the_race(
    replica: Replica,
    store: RacedStore,
    key: Key | None,
    new: NewSession | None,
    error: type[Exception],
) -> None:
    slower = replica.another()
    store.rival = lambda: replica.create(key=key, new=new)
    with pytest.raises(error):
        slower.create()
    assert store.count(0.0) == 1


def test_the_retry_for_a_session_that_expired(replica: Replica) -> None:
    replica.create()
    replica.store.clocks.pass_time(DEFAULT_TTL)
    with pytest.raises(SessionExpired):
        replica.create()
    with pytest.raises(KeyReused):
        replica.create(new=OTHER)


@pytest.mark.parametrize("key", [None, SECOND_KEY])
def test_an_expired_id_may_begin_anew(replica: Replica, key: Key | None) -> None:
    first, _ = replica.create()
    replica.store.clocks.pass_time(DEFAULT_TTL)
    second, earlier = replica.create(key=key)
    assert not earlier
    assert second.revision != first.revision
    assert same(replica.stored(), second)


def test_a_full_service_still_answers_retries(models: Models, store: RacedStore) -> None:
    replica = Replica(models, store, max_sessions=1)
    first, _ = replica.create()
    with pytest.raises(TooManySessions):
        replica.create("b", SECOND_KEY)
    again, earlier = replica.create()
    assert earlier
    assert again.revision == first.revision
    assert read(store, "b") is None


def test_what_cannot_be_made_leaves_nothing(replica: Replica, store: RacedStore) -> None:
    def refuse() -> Session:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        replica.creation.once(Identity("", "a"), refuse, KEY, b"meaning.")
    assert read(store, "a") is None
    assert replica.create(new=OTHER)[1] is False, "the key is still free"


def test_a_session_that_cannot_be_read_is_not_made_again(models: Models) -> None:
    class AwayStore(ManualStore):
        def read(self, identities: Sequence[Identity]) -> list[Found]:
            return [StoreError("this node is away")] * len(identities)

    replica = Replica(models, AwayStore())
    with pytest.raises(StoreError, match="this node"):
        replica.create()
    assert replica.store.count(0.0) == 0


def test_a_fork_goes_on_from_its_source_and_shares_nothing_else(replica: Replica) -> None:
    replica.create(new=NewSession(ttl_seconds=500.0, metadata=b'{"n":1}'))
    replica.step()
    source = replace(replica.stored(), writers=b"w" * 16, constants=b"cons", row=3)
    replica.store.clocks.pass_time(10.0)
    now = replica.store.now()
    forked = replica.creation.fork(Identity("", "b"), NewSession(), source)
    inherited = replace(
        source,
        session_id="b",
        changes=1,
        revision=forked.revision,
        created_at=now,
        expires_at=now + 500.0,
        receipts=b"",
        writers=b"",
    )
    assert same(forked, inherited)
    assert forked.revision != source.revision
    assert forked.row == 0
    given = replica.creation.fork(Identity("", "b"), NewSession("b", 7.0, b"{}"), source)
    assert (given.ttl_seconds, given.expires_at) == (7.0, now + 7.0)
    assert given.metadata == b"{}"
    assert np.shares_memory(given.state, source.state) or (given.state == source.state).all()
