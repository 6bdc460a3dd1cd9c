"""What a Redis does to its sessions when it fails, and when it comes back."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest

from service.errors import CommitUnknown, SessionExists, StoreError, StoreFull
from service.stores.redis.link import Access, Link, Node
from service.stores.store import Replaced, Session, Store
from tests.contract.redis.stores import TIMEOUT_SECONDS, created, opened
from tests.contract.sessions import moved, same, session
from tests.redis_relay import Relay
from tests.redis_server import RedisServer, running
from tests.waiting import DEADLINE_SECONDS, wait_until


@pytest.fixture
def timeout_seconds() -> float:
    return TIMEOUT_SECONDS


def all_replaced(outcomes: list[Replaced]) -> list[bool]:
    """What was replaced; raises what one of them failed with."""
    for outcome in outcomes:
        if isinstance(outcome, StoreError):
            raise outcome
    return [outcome is True for outcome in outcomes]


def every_call(store: Store) -> list[Callable[[], object]]:
    """One call of each method."""
    return [
        lambda: store.create(session("new")),
        lambda: store.read(["a"]),
        lambda: store.replace([moved(session("a"))]),
        lambda: store.delete("a"),
        lambda: store.page(model=None, after=("", ""), limit=1),
        lambda: store.count(0.0),
        lambda: store.purge(0.0, 1),
    ]


def test_a_restart_keeps_everything_and_needs_no_attention(
    server: RedisServer, store: Store
) -> None:
    before = created(store, *"abc")
    store.replace([moved(before[0])])
    store.delete("b")
    server.restart()
    assert store.replace([moved(moved(before[0])), moved(before[2])]) == [True, True]
    first, second, third = store.read(["a", "b", "c"])
    assert same(first, moved(moved(before[0])))
    assert second is None
    assert same(third, moved(before[2]))
    assert store.count(0.0) == 2


def test_scripts_that_redis_forgot_are_sent_again(server: RedisServer, store: Store) -> None:
    sessions = created(store, *"abc")
    forgotten: list[tuple[Callable[[], object], object]] = [
        (lambda: store.create(session("d")), None),
        (lambda: store.replace([moved(one) for one in sessions]), [True] * 3),
        (lambda: store.delete("d"), True),
        (lambda: store.count(0.0), 3),
        (lambda: store.purge(sessions[0].expires_at + 1, 10), 3),
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
        outcomes = store.replace([moved(first, revision=9), moved(second), moved(first)])
        assert outcomes[0] is False
        assert [type(outcome) for outcome in outcomes[1:]] == [StoreFull, StoreFull]
        assert all(map(same, store.read(["a", "b"]), [first, second]))
        assert store.count(0.0) == 2
        assert store.delete("b"), "there is a way out"
    finally:
        server.ask("CONFIG", "SET", "maxmemory", "0")
    assert store.replace([moved(first)]) == [True]
    store.create(session("new"))


def test_a_frozen_redis(server: RedisServer, store: Store) -> None:
    first, second = created(store, *"ab")
    with server.frozen():
        started = time.monotonic()
        with pytest.raises(CommitUnknown, match="may or may not"):
            store.replace([moved(first)])
        for call in every_call(store):
            with pytest.raises(StoreError, match="has not answered for a while") as raised:
                call()
            assert type(raised.value) is StoreError, "nothing was sent, so all is known"
        assert time.monotonic() - started < 2 * TIMEOUT_SECONDS, "it is waited for once"
    wait_until(lambda: answers(store), lambda: "the store did not come back")
    assert same(store.read(["b"])[0], second), "no late answer is taken for this one"
    assert store.count(0.0) == 2
    wait_until(lambda: same(store.read(["a"])[0], moved(first)), lambda: "not worked off")
    assert store.replace([moved(first)]) == [False]
    assert store.replace([moved(moved(first))]) == [True]


def test_a_redis_that_freezes_while_it_is_read(server: RedisServer, store: Store) -> None:
    created(store, "a")
    with server.frozen():
        with pytest.raises(StoreError, match="did not answer") as raised:
            store.read(["a"])
        assert type(raised.value) is StoreError
    wait_until(lambda: answers(store), lambda: "the store did not come back")
    assert same(store.read(["a"])[0], session("a"))


def test_a_redis_that_freezes_while_it_is_sent_to(server: RedisServer, store: Store) -> None:
    created(store, "a")
    with server.frozen(), pytest.raises(CommitUnknown):
        # More than fits on the way, so that even sending does not come to its end.
        store.replace([moved(session("a"), state=np.zeros(10_000_000, np.float32))])
    wait_until(lambda: answers(store), lambda: "the store did not come back")
    assert same(store.read(["a"])[0], session("a")), "half a command is none"


def answers(store: Store) -> bool:
    """Whether the store reads again."""
    with suppress(StoreError):
        return store.read(["nobody"]) == [None]
    return False


def test_a_redis_that_is_gone(server: RedisServer, store: Store) -> None:
    created(store, "a")
    server.kill()
    try:
        for call in every_call(store):
            started = time.monotonic()
            with pytest.raises(StoreError, match="cannot be reached") as raised:
                call()
            assert type(raised.value) is StoreError, "nothing was sent, so all is known"
            assert time.monotonic() - started < TIMEOUT_SECONDS
    finally:
        server.start()
    assert same(store.read(["a"])[0], session("a"))
    assert store.replace([moved(session("a"))]) == [True]


def test_an_answer_that_is_lost_on_the_way(server: RedisServer, store: Store) -> None:
    first = created(store, *"abc")[0]
    store.delete("c")  # Redis knows the scripts, so that one request is enough.
    relay = Relay(server.port)
    with closing(relay), closing(opened(relay.url)) as remote:
        relay.lose_answers()
        for call in (
            lambda: remote.replace([moved(first)]),
            lambda: remote.create(session("new")),
            lambda: remote.delete("b"),
        ):
            with pytest.raises(CommitUnknown):
                call()
        relay.heal()
        assert same(remote.read(["a"])[0], moved(first)), "made, and made once"
        assert remote.read(["b"]) == [None]
        with pytest.raises(SessionExists):
            remote.create(session("new"))


def test_of_two_that_race_for_a_revision_one_wins(server: RedisServer, store: Store) -> None:
    sessions = created(store, *(str(number) for number in range(50)))
    start = Barrier(2)

    def race(step: int) -> list[object]:
        with closing(opened(server.url)) as own:
            outcomes: list[object] = []
            for one in sessions:
                start.wait()
                outcomes += own.replace([moved(one, step=step)])
            return outcomes

    with ThreadPoolExecutor(2) as threads:
        outcomes = list(threads.map(race, (1000, 2000)))
    found = store.read([one.session_id for one in sessions])
    for first, second, one in zip(*outcomes, found, strict=True):
        assert {first, second} == {True, False}
        assert isinstance(one, Session)
        assert one.step == (1000 if first else 2000)


def test_revisions_are_compared_exactly(store: Store) -> None:
    """Behind 2**53 a double takes two revisions for one."""
    store.create(session(revision=2**53))
    assert store.replace([moved(session(), revision=2**53 + 2)]) == [False]
    assert store.replace([moved(session(), revision=2**53 + 1)]) == [True]
    assert not store.delete("s", revision=2**53)
    store.create(session("last", revision=2**63 - 2))
    assert store.replace([moved(session(), session_id="last", revision=2**63 - 1)]) == [True]


def test_all_lost_and_begun_anew(server: RedisServer, store: Store) -> None:
    """As after a restart without persistence: services go on, and new ones can join them."""
    created(store, "a")
    server.ask("FLUSHALL")
    created(store, *"ab")
    with closing(opened(server.url)) as joining:
        assert joining.count(0.0) == 2


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
        outcome = store.replace([moved(first)])[0]
        assert "MISCONF" in str(outcome)
        server.ask("CONFIG", "SET", "dir", str(tmp_path), "save", "")
        assert store.replace([moved(first)]) == [True]


def test_a_master_that_became_a_replica(server: RedisServer, store: Store) -> None:
    first = created(store, "a")[0]
    server.ask("CONFIG", "SET", "replica-serve-stale-data", "yes")
    server.ask("REPLICAOF", "127.0.0.1", 1)
    try:
        assert "point the service at the master" in str(store.replace([moved(first)])[0])
        with pytest.raises(StoreError, match="READONLY"):
            store.create(session("new"))
        with pytest.raises(StoreError, match="is a replica"):
            opened(server.url)
    finally:
        server.ask("REPLICAOF", "NO", "ONE")
    assert store.replace([moved(first)]) == [True]


def test_an_address_that_leads_to_another_master(
    server: RedisServer, store: Store, tmp_path: Path
) -> None:
    """The old one is not left by itself: its connections stay open."""
    first = created(store, "a")[0]
    heir, relay = RedisServer(tmp_path / "heir"), Relay(server.port)
    with running(heir), closing(relay), closing(opened(relay.url)) as remote:
        assert remote.read(["a"]) != [None]
        server.ask("REPLICAOF", "127.0.0.1", heir.port)
        relay.target_port = heir.port
        try:
            with pytest.raises(StoreError, match="READONLY"):
                all_replaced(remote.replace([moved(first)]))
        finally:
            server.ask("REPLICAOF", "NO", "ONE")
        heir.ask("FLUSHALL")
        assert remote.read(["a"]) == [None]


def test_answers_that_nobody_fetched(server: RedisServer) -> None:
    """As when a thread is interrupted between a question and its answer."""
    link = Link(Node("127.0.0.1", server.port), Access(False, {}, TIMEOUT_SECONDS))
    with server.frozen():
        link.send([(b"ECHO", b"first")], changes=False)
        link.send([(b"ECHO", b"second")], changes=False)
    with closing(link):
        assert link.receive(time.monotonic() + DEADLINE_SECONDS) == [b"second"]


def test_memory_that_runs_out_in_between(server: RedisServer, store: Store) -> None:
    sessions = created(store, *(str(number) for number in range(20)))
    used = server.ask("INFO", "memory")["used_memory"]
    server.ask("CONFIG", "SET", "maxmemory", used + 2_000_000)
    wide = [moved(one, state=np.ones(100_000, np.float32)) for one in sessions]
    try:
        outcomes: list[object] = []
        for one in wide:
            try:
                outcomes += store.replace([one])
            except StoreFull as full:
                outcomes.append(full)
    finally:
        server.ask("CONFIG", "SET", "maxmemory", "0")
    assert True in outcomes
    assert isinstance(outcomes[-1], StoreFull)
    found = store.read([one.session_id for one in sessions])
    for outcome, kept, before, after in zip(outcomes, found, sessions, wide, strict=True):
        assert same(kept, after if outcome is True else before)
