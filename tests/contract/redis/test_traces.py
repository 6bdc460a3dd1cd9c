"""The contract of traces, kept by Redis; and what is Redis' alone."""

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from service.errors import StoreError
from service.stores.redis.partitions import RECORDED, TRACES, trace_home_of
from service.stores.traces.open import open_traces
from service.stores.traces.traces import Traces
from tests.contract.redis.stores import PATIENCE_SECONDS, TIMEOUT_SECONDS, opened
from tests.contract.traces_contract import (
    MOST,
    NOW,
    Opener,
    TracesContract,
    all_same,
    append,
    piece,
    trace,
)
from tests.contract.traces_of_processes_contract import TracesOfProcessesContract
from tests.redis_server import RedisServer
from tests.waiting import wait_until

HOME = trace_home_of("", "t")


@pytest.fixture
def url(server: RedisServer) -> str:
    return server.url


@pytest.fixture
def opener(url: str) -> Opener:
    return lambda: open_traces(url, timeout_seconds=PATIENCE_SECONDS)


@pytest.fixture
def traces(server: RedisServer, opener: Opener) -> Iterator[Traces]:
    server.ask("FLUSHALL")
    with closing(opener()) as traces:
        yield traces


class TestRedisTraces(TracesContract):
    """On the `traces` of this file."""


class TestProcesses(TracesOfProcessesContract):
    """On the `traces` of this file."""


def test_nothing_is_asked_before_it_is_needed() -> None:
    """No Redis is there."""
    traces = open_traces("redis://127.0.0.1:1/0", timeout_seconds=TIMEOUT_SECONDS)
    with pytest.raises(StoreError, match=r"Redis 127\.0\.0\.1:1 cannot be reached"):
        traces.recorded()
    traces.close()


def test_redis_forgets_by_itself_a_while_later(server: RedisServer, traces: Traces) -> None:
    """By its own clock: only how long a trace lives is told to it."""
    long_ago = trace(created_at=1000.0, expires_at=1060.0)
    traces.create(long_ago, [], most=MOST)
    append(traces, piece(0))
    for key in (HOME.key, HOME.pieces, TRACES, RECORDED):
        assert 100_000 < server.ask("PTTL", key) <= 120_000
    traces.create(trace("longer", expires_at=NOW + 3600), [], most=MOST)
    traces.create(trace("shorter", expires_at=NOW + 1), [], most=MOST)
    for key in (TRACES, RECORDED):
        assert server.ask("PTTL", key) > 3_600_000
    assert traces.find("", "t") == long_ago


def test_what_redis_forgot_is_nowhere(server: RedisServer, traces: Traces) -> None:
    traces.create(trace(), [piece(0)], most=MOST)
    for key in (HOME.key, HOME.pieces):
        server.ask("PEXPIRE", key, 1)
    wait_until(lambda: not server.ask("EXISTS", HOME.key, HOME.pieces), lambda: "still there")
    assert traces.find("", "t") is None
    assert traces.of_tenant("") == []
    append(traces, piece(1))
    assert traces.pieces("", "t") == []
    assert not traces.delete("", "t")
    assert traces.recorded() == []


def test_an_emptied_trace_still_ends(server: RedisServer, traces: Traces) -> None:
    """Its list is gone for a moment, and with it the time at which it ends."""
    traces.create(trace(max_bytes=100), [piece(0, steps=100)], most=MOST)
    assert not server.ask("EXISTS", HOME.pieces)
    append(traces, piece(1))
    assert 0 < server.ask("PTTL", HOME.pieces) <= 121_000


def test_all_that_is_kept_is_gone_after_the_last_trace(server: RedisServer, traces: Traces) -> None:
    for one in ("a", "b", "c"):
        traces.create(trace(one), [piece(0)], most=MOST)
    assert traces.delete("", "a")
    assert traces.purge(NOW + 1e6) == 2
    assert server.ask("KEYS", "*") == []


@pytest.mark.parametrize("kind", ["record", "piece", "list"])
def test_damage_is_an_error_of_the_store(server: RedisServer, traces: Traces, kind: str) -> None:
    traces.create(trace(), [piece(0)], most=MOST)
    calls: list[Callable[[], object]]
    if kind == "record":
        server.ask("HSET", RECORDED, HOME.name, b"[1, 2]")
        server.ask("HSET", HOME.key, "record", b"{")
        calls = [traces.recorded, lambda: traces.find("", "t"), lambda: traces.of_tenant("")]
    elif kind == "piece":
        server.ask("LSET", HOME.pieces, 0, b"short")
        calls = [lambda: traces.pieces("", "t")]
    else:
        server.ask("SET", HOME.pieces, b"text")
        calls = [
            lambda: traces.pieces("", "t"),
            lambda: traces.pieces("", "t", after_changes=0),
            lambda: append(traces, piece(1)),
        ]
    for call in calls:
        with pytest.raises(StoreError):
            call()
    assert traces.delete("", "t")


def test_a_redis_that_came_back_is_found_again(server: RedisServer, traces: Traces) -> None:
    traces.create(trace(), [piece(0)], most=MOST)
    server.kill()
    for call in (traces.recorded, lambda: append(traces, piece(1))):
        with pytest.raises(StoreError):
            call()
    server.start()
    append(traces, piece(2))
    assert all_same(traces.pieces("", "t"), [piece(0), piece(2)])


def test_sessions_and_traces_share_a_redis(server: RedisServer, traces: Traces) -> None:
    with closing(opened(server.url)):
        traces.create(trace(), [piece(0)], most=MOST)
    with closing(opened(server.url)) as store:
        assert store.count(0) == 0
    assert all_same(traces.pieces("", "t"), [piece(0)])
