"""What a Redis does to its sessions when it fails, and when it comes back."""

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from service.errors import CommitUnknown, SessionExists, StoreError, StoreFull
from service.stores.store import Identity, Store
from tests.contract.redis.stores import TIMEOUT_SECONDS, created, opened
from tests.contract.sessions import (
    finished,
    found_in,
    identities,
    moved,
    read,
    replaced,
    same,
    session,
    step,
    steps,
)
from tests.redis_relay import Relay
from tests.redis_server import RedisServer, running
from tests.waiting import wait_until


@pytest.fixture
def timeout_seconds() -> float:
    return TIMEOUT_SECONDS


def every_failure(store: Store) -> list[StoreError]:
    """What each method fails with that is called now, raised or given as an outcome."""
    before = session("a")
    raising: list[Callable[[], object]] = [
        lambda: store.create(session("new")),
        lambda: store.remove(before.identity),
        lambda: store.page(tenant="", model=None, after=("", ""), limit=1),
        lambda: store.count(0.0),
        lambda: store.purge(0.0, 1),
    ]
    failures = []
    for call in raising:
        with pytest.raises(StoreError) as raised:
            call()
        failures.append(raised.value)
    outcomes = [read(store, "a"), *replaced(store, (before, moved(before)), (before, before))]
    for outcome in outcomes:
        assert isinstance(outcome, StoreError)
        failures.append(outcome)
    return failures


def test_a_restart_keeps_everything_and_needs_no_attention(
    server: RedisServer, store: Store
) -> None:
    a, b, c, d = created(store, *"abcd")
    a = step(store, a)
    store.remove(b.identity)
    assert replaced(store, (d, finished(d))) == [True]
    server.restart()
    after = steps(store, [a, c])
    first, second, third, fourth = store.read(identities(*"abcd"))
    assert same(first, after[0])
    assert second is None
    assert same(third, after[1])
    assert same(fourth, finished(d))
    assert store.count(session().created_at) == 2


def test_scripts_that_redis_forgot_are_sent_again(server: RedisServer, store: Store) -> None:
    sessions = created(store, *"abc")
    forgotten: list[tuple[Callable[[], object], object]] = [
        (lambda: store.create(session("d")), None),
        (lambda: replaced(store, *((one, moved(one)) for one in sessions)), [True] * 3),
        (lambda: store.remove(Identity("", "d")), True),
        (lambda: store.count(0.0), 3),
        (lambda: store.purge(sessions[0].expires_at + 1, 10), 3),
        (store.accept_clock, None),
    ]
    for call, expected in forgotten:
        server.ask("SCRIPT", "FLUSH")
        assert call() == expected


def test_a_redis_out_of_memory_refuses_and_recovers(server: RedisServer, store: Store) -> None:
    first, second = created(store, *"ab")
    server.ask("CONFIG", "SET", "maxmemory", "1mb", "maxmemory-policy", "noeviction")
    try:
        with pytest.raises(StoreFull, match="more memory"):
            store.create(session("new"))
        outcomes = replaced(store, (second, first), (second, moved(second)), (first, moved(first)))
        assert outcomes[0] is False
        assert [type(outcome) for outcome in outcomes[1:]] == [StoreFull, StoreFull]
        assert all(map(same, store.read(identities("a", "b")), [first, second]))
        assert store.count(0.0) == 2
        store.refresh_clock()
        store.accept_clock()
        with closing(opened(server.url)) as joining:
            assert same(read(joining, "a"), first)
        assert store.remove(second.identity), "there is a way out"
    finally:
        server.ask("CONFIG", "SET", "maxmemory", "0")
    step(store, first)
    store.create(session("new"))


def test_a_frozen_redis(server: RedisServer, store: Store) -> None:
    first, second = created(store, *"ab")
    with server.frozen():
        started = time.monotonic()
        (outcome,) = replaced(store, (first, moved(first)))
        assert isinstance(outcome, CommitUnknown)
        assert "may or may not" in str(outcome)
        for failure in every_failure(store):
            assert "has not answered for a while" in str(failure)
            assert type(failure) is StoreError, "nothing was sent, so all is known"
        assert time.monotonic() - started < 2 * TIMEOUT_SECONDS, "it is waited for once"
    wait_until(lambda: answers(store), lambda: "the store did not come back")
    assert same(read(store, "b"), second), "no late answer is taken for this one"
    assert store.count(0.0) == 2
    wait_until(lambda: same(read(store, "a"), moved(first)), lambda: "not worked off")
    assert replaced(store, (first, moved(first))) == [False]
    step(store, moved(first))


def test_a_redis_that_freezes_while_it_is_read(server: RedisServer, store: Store) -> None:
    created(store, "a")
    with server.frozen():
        outcome = read(store, "a")
        assert "did not answer" in str(outcome)
        assert type(outcome) is StoreError
    wait_until(lambda: answers(store), lambda: "the store did not come back")
    assert same(read(store, "a"), session("a"))


def test_a_redis_that_freezes_while_it_is_sent_to(server: RedisServer, store: Store) -> None:
    (before,) = created(store, "a")
    # More than fits on the way, so that even sending does not come to its end.
    wide = moved(before, state=np.zeros(10_000_000, np.float32))
    with server.frozen():
        assert [type(one) for one in replaced(store, (before, wide))] == [CommitUnknown]
    wait_until(lambda: answers(store), lambda: "the store did not come back")
    assert same(read(store, "a"), before), "half a command is none"


def answers(store: Store) -> bool:
    """Whether the store reads again."""
    return read(store, "nobody") is None


def test_a_redis_that_is_gone(server: RedisServer, store: Store) -> None:
    created(store, "a")
    server.kill()
    try:
        started = time.monotonic()
        for failure in every_failure(store):
            assert "cannot be reached" in str(failure)
            assert type(failure) is StoreError, "nothing was sent, so all is known"
        assert time.monotonic() - started < TIMEOUT_SECONDS
    finally:
        server.start()
    step(store, found_in(store, "a"))


def test_an_answer_that_is_lost_on_the_way(server: RedisServer, store: Store) -> None:
    first, second, third = created(store, *"abc")
    # Redis knows the scripts then, so that one request is enough.
    store.remove(third.identity)
    relay = Relay(server.port)
    with closing(relay), closing(opened(relay.url)) as remote:
        relay.lose_answers()
        (outcome,) = replaced(remote, (first, moved(first)))
        assert isinstance(outcome, CommitUnknown)
        with pytest.raises(CommitUnknown):
            remote.create(session("new"))
        with pytest.raises(CommitUnknown):
            remote.remove(second.identity)
        relay.heal()
        assert same(read(remote, "a"), moved(first)), "made, and made once"
        assert read(remote, "b") is None
        with pytest.raises(SessionExists):
            remote.create(session("new"))


def test_a_disk_that_redis_cannot_write(tmp_path: Path) -> None:
    server = RedisServer(tmp_path / "redis", options=("--enable-protected-configs", "yes"))
    with running(server), closing(opened(server.url)) as store:
        first = created(store, "a")[0]
        (tmp_path / "lost").mkdir()
        server.ask("CONFIG", "SET", "dir", str(tmp_path / "lost"), "save", "3600 1")
        (tmp_path / "lost").rmdir()
        server.ask("BGSAVE")
        wait_until(
            lambda: server.ask("INFO", "persistence")["rdb_last_bgsave_status"] == "err",
            lambda: "it could be written",
        )
        with pytest.raises(StoreError, match=r"MISCONF.*disk"):
            store.create(session("new"))
        (outcome,) = replaced(store, (first, moved(first)))
        assert "MISCONF" in str(outcome)
        store.refresh_clock()
        with pytest.raises(StoreError, match="MISCONF"):
            store.accept_clock()
        server.ask("CONFIG", "SET", "dir", str(tmp_path), "save", "")
        step(store, first)


def test_a_master_that_became_a_replica(server: RedisServer, store: Store) -> None:
    first = created(store, "a")[0]
    server.ask("CONFIG", "SET", "replica-serve-stale-data", "yes")
    server.ask("REPLICAOF", "127.0.0.1", 1)
    try:
        (outcome,) = replaced(store, (first, moved(first)))
        assert "point the service at the master" in str(outcome)
        with pytest.raises(StoreError, match="READONLY"):
            store.create(session("new"))
        with pytest.raises(StoreError, match="is a replica"):
            opened(server.url)
    finally:
        server.ask("REPLICAOF", "NO", "ONE")
    step(store, first)


def test_an_address_that_leads_to_another_master(
    server: RedisServer, store: Store, tmp_path: Path
) -> None:
    """The old one is not left by itself: its connections stay open."""
    first = created(store, "a")[0]
    heir, relay = RedisServer(tmp_path / "heir"), Relay(server.port)
    with running(heir), closing(relay), closing(opened(relay.url)) as remote:
        assert same(read(remote, "a"), first)
        server.ask("REPLICAOF", "127.0.0.1", heir.port)
        relay.target_port = heir.port
        try:
            (outcome,) = replaced(remote, (first, moved(first)))
            assert isinstance(outcome, StoreError)
            assert "READONLY" in str(outcome)
        finally:
            server.ask("REPLICAOF", "NO", "ONE")
        heir.ask("FLUSHALL")
        assert read(remote, "a") is None


def test_memory_that_runs_out_in_between(server: RedisServer, store: Store) -> None:
    sessions = created(store, *(str(number) for number in range(20)))
    used = server.ask("INFO", "memory")["used_memory"]
    server.ask("CONFIG", "SET", "maxmemory", used + 2_000_000)
    wide = [moved(one, state=np.ones(100_000, np.float32)) for one in sessions]
    try:
        outcomes = [replaced(store, pair)[0] for pair in zip(sessions, wide, strict=True)]
    finally:
        server.ask("CONFIG", "SET", "maxmemory", "0")
    assert True in outcomes
    assert isinstance(outcomes[-1], StoreFull)
    found = store.read([one.identity for one in sessions])
    for outcome, kept, before, after in zip(outcomes, found, sessions, wide, strict=True):
        assert same(kept, after if outcome is True else before)
