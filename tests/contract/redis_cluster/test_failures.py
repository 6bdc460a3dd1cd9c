"""What happens to sessions in a Redis Cluster when a node fails, and when slots move."""

import time
from contextlib import suppress

import pytest

from service.errors import CommitUnknown, SessionExists, StoreError
from service.stores.redis.link import Link, Reply
from service.stores.redis.partitions import LISTINGS, PARTITION_SLOTS, home_of
from service.stores.store import Found, Identity, Replaced, Session, Store
from tests.contract.redis.stores import TIMEOUT_SECONDS, created, opened
from tests.contract.sessions import (
    identities,
    moved,
    read,
    replaced,
    same,
    session,
    steps,
)
from tests.redis_server import RedisCluster, RedisServer
from tests.waiting import wait_until

IDS = [str(number) for number in range(60)]
ALL = identities(*IDS)


@pytest.fixture
def timeout_seconds() -> float:
    return TIMEOUT_SECONDS


def on(cluster: RedisCluster, node: RedisServer, ids: list[str]) -> list[bool]:
    return [cluster.owner(home_of("", one).key) is node for one in ids]


def check_failed(outcomes: list[Found] | list[Replaced], failed: list[bool]) -> None:
    """StoreError exactly in these places."""
    assert [isinstance(outcome, StoreError) for outcome in outcomes] == failed
    assert any(failed)
    assert not all(failed)


def test_sessions_are_spread_evenly(cluster: RedisCluster) -> None:
    for node in cluster.nodes:
        assert sum(on(cluster, node, IDS)) > len(IDS) / 6
        assert 21 <= sum(cluster.owner(key) is node for key in LISTINGS) <= 22


def test_a_node_that_is_killed_takes_its_own_sessions_alone(
    cluster: RedisCluster, store: Store
) -> None:
    sessions = created(store, *IDS)
    node = cluster.nodes[1]
    lost = on(cluster, node, IDS)
    node.kill()
    try:
        started = time.monotonic()
        check_failed(store.read(ALL), lost)
        outcomes = replaced(store, *((one, moved(one)) for one in sessions))
        check_failed(outcomes, lost)
        assert not any(isinstance(outcome, CommitUnknown) for outcome in outcomes)
        assert time.monotonic() - started < TIMEOUT_SECONDS
        gone = sessions[lost.index(True)]
        for outcome in (read(store, gone.session_id), *replaced(store, (gone, moved(gone)))):
            assert isinstance(outcome, StoreError)
            assert "cannot be reached" in str(outcome)
        with pytest.raises(StoreError, match="cannot be reached"):
            store.count(0.0)
        with pytest.raises(StoreError):
            opened(cluster.url)
    finally:
        node.start()
    cluster.wait_until_whole()
    found = store.read(ALL)
    for one, before, failed in zip(found, sessions, lost, strict=True):
        assert same(one, before if failed else moved(before))
    assert store.count(0.0) == len(IDS)


def test_a_node_that_is_frozen_does_not_hold_up_the_others(
    cluster: RedisCluster, store: Store
) -> None:
    sessions = created(store, *IDS)
    node = cluster.nodes[2]
    lost = on(cluster, node, IDS)
    others = [one for one, failed in zip(ALL, lost, strict=True) if not failed]
    with node.frozen():
        outcomes = replaced(store, *((one, moved(one)) for one in sessions))
        check_failed(outcomes, lost)
        assert all(type(outcome) in (bool, CommitUnknown) for outcome in outcomes)
        started = time.monotonic()
        for _ in range(20):
            check_failed(store.read(ALL), lost)
            assert all(isinstance(one, Session) for one in store.read(others))
        assert time.monotonic() - started < TIMEOUT_SECONDS, "the node is left alone"

    def all_there() -> bool:
        return all(map(same, store.read(ALL), [moved(one) for one in sessions]))

    wait_until(all_there, lambda: "what the frozen node had taken was made, once")
    steps(store, [moved(one) for one in sessions])


def test_a_node_has_time_to_answer_behind_one_that_is_frozen(
    cluster: RedisCluster, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wide states are more than fits on the way, so that they come only when they are fetched."""
    created(store, *IDS)
    left: list[float] = []
    receive = Link.receive

    def receive_and_note(link: Link, deadline: float) -> list[Reply]:
        left.append(deadline - time.monotonic())
        return receive(link, deadline)

    monkeypatch.setattr(Link, "receive", receive_and_note)
    for node in cluster.nodes:
        wait_until(
            lambda: all(isinstance(one, Session) for one in store.read(ALL)), lambda: "not back"
        )
        with node.frozen():
            check_failed(store.read(ALL), on(cluster, node, IDS))
    assert min(left) > TIMEOUT_SECONDS * 0.05


def test_nodes_that_restarted_are_found_again(cluster: RedisCluster, store: Store) -> None:
    sessions = created(store, *IDS)
    cluster.kill()
    for outcome in store.read(ALL):
        assert isinstance(outcome, StoreError)
        assert "cannot be reached" in str(outcome)
    before = store.now()
    with pytest.raises(StoreError, match="cannot be reached"):
        store.refresh_clock()
    assert store.clock_held is None
    assert before <= store.now() < before + 10
    for node in cluster.nodes:
        node.start()
    cluster.wait_until_whole()
    steps(store, sessions)
    store.refresh_clock()
    assert store.purge(1e13, limit=1000) == len(IDS)


def test_slots_that_move(cluster: RedisCluster, store: Store) -> None:
    """Migrated key by key: TRYAGAIN and ASK on the way, MOVED afterwards. Behind the other
    tests, since the slot stays where it went."""
    source, target, other = cluster.nodes
    slot = PARTITION_SLOTS[0]
    here = [one for one in map(str, range(1000)) if home_of("", one).partition == 0][:5]
    first, *rest = created(store, *here)
    names = {node: node.ask("CLUSTER", "MYID") for node in (source, target)}

    def move(key: bytes) -> None:
        source.ask("MIGRATE", "127.0.0.1", target.port, key, 0, 5000)

    target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", names[source])
    source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", names[target])
    move(home_of("", here[0]).key)
    (outcome,) = replaced(store, (first, moved(first)))
    assert "moving this slot" in str(outcome)
    assert type(outcome) is StoreError, "session and index are apart, nothing was changed"
    assert same(read(store, here[0]), first), "ASK"
    rest = steps(store, rest)
    for key in source.ask("CLUSTER", "GETKEYSINSLOT", slot, 100):
        move(key)
    first, *rest = steps(store, [first, *rest])  # ASK
    store.refresh_clock()
    for node in (target, source, other):
        node.ask("CLUSTER", "SETSLOT", slot, "NODE", names[target])
    last = steps(store, [first, *rest])  # MOVED
    with pytest.raises(SessionExists):
        store.create(first)
    assert all(map(same, store.read(identities(*here)), last))
    assert store.remove(Identity("", here[0]))


def test_a_node_that_takes_over_is_found(cluster: RedisCluster, store: Store) -> None:
    """As after a failover, of which nobody tells. The last test, since the slots stay there."""
    failed, heir, _ = cluster.nodes
    failed.kill()
    heir.ask("CLUSTER", "DELSLOTSRANGE", 0, 5460)
    heir.ask("CLUSTER", "ADDSLOTSRANGE", 0, 5460)
    wait_until(
        lambda: all(isinstance(one, Session) for one in _created_all(store)), lambda: "not found"
    )
    assert store.count(0.0) == len(IDS)


def _created_all(store: Store) -> list[Found]:
    for one in IDS:
        with suppress(SessionExists, StoreError):
            store.create(session(one))
    return store.read(ALL)
