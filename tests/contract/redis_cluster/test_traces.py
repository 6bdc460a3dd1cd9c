"""The contract of traces, kept by a Redis Cluster of three."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from service.errors import StoreError
from service.stores.redis.partitions import TRACES, trace_home_of
from service.stores.traces.open import open_traces
from service.stores.traces.traces import Traces
from tests.contract.redis.stores import PATIENCE_SECONDS
from tests.contract.traces_contract import MOST, Opener, TracesContract, append, piece, trace
from tests.contract.traces_of_processes_contract import TracesOfProcessesContract
from tests.redis_server import RedisCluster


@pytest.fixture
def url(cluster: RedisCluster) -> str:
    return cluster.url


@pytest.fixture
def opener(url: str) -> Opener:
    return lambda: open_traces(url, timeout_seconds=PATIENCE_SECONDS)


@pytest.fixture
def traces(cluster: RedisCluster, opener: Opener) -> Iterator[Traces]:
    for node in cluster.nodes:
        node.ask("FLUSHALL")
    with closing(opener()) as traces:
        yield traces


class TestRedisClusterTraces(TracesContract):
    """On the `traces` of this file."""


class TestProcesses(TracesOfProcessesContract):
    """On the `traces` of this file."""


def test_traces_are_spread_over_the_nodes(cluster: RedisCluster, traces: Traces) -> None:
    for number in range(30):
        traces.create(trace(f"{number}"), [piece(0)], most=MOST)
    owners = {cluster.owner(trace_home_of("", f"{n}").key).port for n in range(30)}
    assert len(owners) == len(cluster.nodes)


def test_a_node_that_is_away_takes_its_own_traces_with_it(
    cluster: RedisCluster, traces: Traces
) -> None:
    """And, where it has the names of all, the making of new ones."""
    ids = [f"{number}" for number in range(30)]
    for one in ids:
        traces.create(trace(one), [piece(0)], most=MOST)
    registry = cluster.owner(TRACES)
    victim = next(node for node in cluster.nodes if node is not registry)
    homes = {one: cluster.owner(trace_home_of("", one).key) for one in ids}
    victim.kill()
    try:
        for one in ids:
            if homes[one] is victim:
                with pytest.raises(StoreError):
                    append(traces, piece(1), trace_id=one)
            else:
                append(traces, piece(1), trace_id=one)
                assert len(traces.pieces("", one)) == 2
        assert len(traces.recorded()) == 30
    finally:
        victim.start()
        cluster.wait_until_whole()
