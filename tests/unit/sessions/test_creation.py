"""How sessions begin: once for each keyed request, on whatever replica."""

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
from service.repository.models import Models
from service.sessions.capacity import Capacity
from service.sessions.changing import advanced
from service.sessions.creation import Births, NewSession, chosen_id
from service.sessions.receipts import Key
from service.stores.memory import MemoryStore
from service.stores.store import Found, Session
from tests.contract.sessions import same
from tests.unit.sessions.steps import whole

KEY = Key.of(b"first", b"create", b"body")
OTHER_BODY = Key.of(b"first", b"create", b"another body")
DEFAULT_TTL = 60.0


class RacedStore(MemoryStore):
    """A real store, and a replica that is faster whenever a session is about to be created."""

    rival: Callable[[], object] | None = None

    def create(self, session: Session) -> None:
        rival, self.rival = self.rival, None
        if rival is not None:
            rival()
        super().create(session)


class Replica:
    """Births on a store that others use as well."""

    def __init__(self, models: Models, store: MemoryStore, max_sessions: int = 100) -> None:
        self.now = 1_000.0
        self.store = store
        self._models = models
        capacity = Capacity(store, lambda: self.now, max_sessions)
        self.births = Births(store, lambda: self.now, capacity, DEFAULT_TTL)

    def create(
        self, session_id: str = "a", key: Key | None = KEY, new: NewSession | None = None
    ) -> tuple[Session, bool]:
        return self.births.once(session_id, lambda: self.make(session_id, new), key)

    def make(self, session_id: str, new: NewSession | None = None) -> Session:
        engine = self._models.latest("weather")
        state = engine.initial_states(1)[0]
        return self.births.begin(session_id, new or NewSession(), engine.manifest, state)

    def stored(self, session_id: str = "a") -> Session:
        return whole(self.store.read([session_id])[0])

    def step(self, session_id: str = "a") -> None:
        """Some keyed change, later."""
        self.now += 1.0
        before = self.stored(session_id)
        key = Key.of(b"%d" % before.revision, b"steps", b"")
        after = advanced(before, self.now, key, step=before.step + 1, state=before.state + 1)
        assert self.store.replace([after]) == [True]


@pytest.fixture
def store() -> RacedStore:
    return RacedStore()


@pytest.fixture
def replica(models: Models, store: RacedStore) -> Replica:
    return Replica(models, store)


def test_ids_are_the_callers_choice_or_made_from_the_key_or_random() -> None:
    assert chosen_id("mine", KEY, "create") == chosen_id("mine", None, "fork/x") == "mine"
    made = chosen_id(None, KEY, "create")
    assert chosen_id(None, OTHER_BODY, "create") == made, "a reused key must meet its session"
    others = [
        chosen_id(None, KEY, "fork/a"),
        chosen_id(None, KEY, "fork/b"),
        chosen_id(None, Key.of(b"second", b"create", b"body"), "create"),
        *(chosen_id(None, None, "create") for _ in range(3)),
    ]
    assert len({made, *others}) == 7
    assert all(len(one) == 32 and one.isalnum() for one in (made, *others))


def test_a_new_session(replica: Replica) -> None:
    session, earlier = replica.create(key=None)
    assert not earlier
    assert same(replica.stored(), session)
    assert (session.model, session.version, session.step) == ("weather", 1, 0)
    assert (session.created_at, session.expires_at) == (1_000.0, 1_000.0 + DEFAULT_TTL)
    assert (session.ttl_seconds, session.metadata, session.receipts) == (DEFAULT_TTL, b"{}", b"")
    assert not session.state.any()
    given, _ = replica.create("b", None, NewSession("b", 5.0, b'{"site":"north"}'))
    assert (given.expires_at, given.metadata) == (1_005.0, b'{"site":"north"}')


def test_revisions_begin_somewhere_else_each_time(replica: Replica) -> None:
    revisions = {replica.make("a").revision for _ in range(20)}
    assert len(revisions) == 20
    assert all(0 <= revision < 2**48 for revision in revisions)


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


@pytest.mark.parametrize("key", [None, Key.of(b"second", b"create", b"body")])
def test_an_id_that_lives(replica: Replica, key: Key | None) -> None:
    first, _ = replica.create()
    with pytest.raises(SessionExists):
        replica.create(key=key)
    assert same(replica.stored(), first)


def test_the_key_with_another_body(replica: Replica) -> None:
    first, _ = replica.create()
    with pytest.raises(KeyReused):
        replica.create(key=OTHER_BODY)
    assert same(replica.stored(), first)


def test_two_tries_race_on_two_replicas(
    models: Models, replica: Replica, store: RacedStore
) -> None:
    slower = Replica(models, store)
    won: list[tuple[Session, bool]] = []
    store.rival = lambda: won.append(replica.create())
    lost, earlier = slower.create()
    (first, was_earlier) = won[0]
    assert (was_earlier, earlier) == (False, True)
    assert lost.revision == first.revision == replica.stored().revision


@pytest.mark.parametrize(
    ("key", "error"),
    [
        (None, SessionExists),
        (Key.of(b"second", b"create", b"body"), SessionExists),
        (OTHER_BODY, KeyReused),
    ],
)
def test_another_request_wins_the_race(
    models: Models,
    replica: Replica,
    store: RacedStore,
    key: Key | None,
    error: type[Exception],
) -> None:
    slower = Replica(models, store)
    store.rival = lambda: replica.create(key=key)
    with pytest.raises(error):
        slower.create()
    assert store.count(0.0) == 1


def test_the_retry_for_a_session_that_expired(replica: Replica) -> None:
    replica.create()
    replica.now += DEFAULT_TTL
    with pytest.raises(SessionExpired):
        replica.create()
    with pytest.raises(KeyReused):
        replica.create(key=OTHER_BODY)


@pytest.mark.parametrize("key", [None, Key.of(b"second", b"create", b"body")])
def test_an_expired_id_may_begin_anew(replica: Replica, key: Key | None) -> None:
    first, _ = replica.create()
    replica.now += DEFAULT_TTL
    second, earlier = replica.create(key=key)
    assert not earlier
    assert second.revision != first.revision
    assert same(replica.stored(), second)


def test_a_full_service_still_answers_retries(models: Models, store: RacedStore) -> None:
    replica = Replica(models, store, max_sessions=1)
    first, _ = replica.create()
    with pytest.raises(TooManySessions):
        replica.create("b", Key.of(b"second", b"create", b""))
    again, earlier = replica.create()
    assert earlier
    assert again.revision == first.revision
    assert store.read(["b"]) == [None]


def test_what_cannot_be_made_leaves_nothing(replica: Replica, store: RacedStore) -> None:
    def refuse() -> Session:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        replica.births.once("a", refuse, KEY)
    assert store.read(["a"]) == [None]
    assert replica.create(key=OTHER_BODY)[1] is False, "the key is still free"


def test_a_session_that_cannot_be_read_is_not_made_again(models: Models) -> None:
    class AwayStore(MemoryStore):
        def read(self, session_ids: Sequence[str]) -> list[Found]:
            return [StoreError("this node is away")] * len(session_ids)

    replica = Replica(models, AwayStore())
    with pytest.raises(StoreError, match="this node"):
        replica.create()
    assert replica.store.count(0.0) == 0


def test_a_fork_goes_on_from_its_source_and_shares_nothing_else(replica: Replica) -> None:
    replica.create(new=NewSession(ttl_seconds=500.0, metadata=b'{"n":1}'))
    replica.step()
    source = replica.stored()
    replica.now += 10.0
    forked = replica.births.fork("b", NewSession(), source)
    inherited = replace(
        source,
        session_id="b",
        revision=forked.revision,
        created_at=replica.now,
        expires_at=replica.now + 500.0,
        receipts=b"",
    )
    assert same(forked, inherited)
    assert forked.revision != source.revision
    given = replica.births.fork("b", NewSession("b", 7.0, b"{}"), source)
    assert (given.ttl_seconds, given.expires_at) == (7.0, replica.now + 7.0)
    assert given.metadata == b"{}"
    assert np.shares_memory(given.state, source.state) or (given.state == source.state).all()
