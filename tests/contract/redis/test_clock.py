"""The clock of stores in Redis, when Redis' own jumps."""

import re
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from service.errors import StoreError
from service.stores.clock import Clocks
from service.stores.redis.address import parse
from service.stores.redis.partitions import CLOCK
from service.stores.redis.servers import SingleServer
from service.stores.redis.store import RedisStore
from service.stores.store import Store
from tests.contract.redis.stores import (
    PATIENCE_SECONDS,
    RETENTION_SECONDS,
    TIMEOUT_SECONDS,
    created,
    opened,
)
from tests.contract.sessions import read, same
from tests.redis_relay import Relay
from tests.redis_server import RedisServer, running
from tests.system_programs import jumped_clock

DAY = 86_400.0
FORTY_DAYS = 40 * DAY


@pytest.fixture
def ahead() -> dict[str, str]:
    """The environment of a process whose wall clock is forty days ahead."""
    environment = jumped_clock(40)
    # With libc's own malloc, since that of Redis asks for the time before faketime can tell it.
    return environment | {"LD_PRELOAD": f"{environment['LD_PRELOAD']} libc.so.6"}


@pytest.fixture
def jumping(tmp_path: Path, ahead: dict[str, str]) -> Iterator[RedisServer]:
    """Started with the right time; with another after a restart."""
    server = RedisServer(tmp_path / "redis", append_only=True)
    with running(server):
        yield server
        assert server.environment == ahead


class Machine:
    """The clocks of a machine, which go on when they are told to."""

    def __init__(self, boot_id: str, wall: float = 1e9) -> None:
        self.boot, self.wall = 100.0, wall
        self.clocks = Clocks(boot_id, lambda: self.boot, lambda: self.wall)

    def wait(self, seconds: float) -> None:
        self.boot += seconds
        self.wall += seconds


def on(machine: Machine, server: RedisServer) -> RedisStore:
    """A store on this machine."""
    address = parse(server.url, PATIENCE_SECONDS)
    servers = SingleServer(address.nodes[0], address.access)
    return RedisStore(servers, RETENTION_SECONDS, clocks=machine.clocks)


def test_a_redis_that_restarts_forty_days_ahead(
    jumping: RedisServer, ahead: dict[str, str]
) -> None:
    with closing(opened(jumping.url, timeout_seconds=PATIENCE_SECONDS)) as store:
        kept = created(store, *"ab")
        jumping.environment = ahead
        jumping.restart()
        seconds, _ = jumping.ask("TIME")
        assert seconds == pytest.approx(time.time() + FORTY_DAYS, abs=60)
        assert store.now() == pytest.approx(time.time(), abs=5), "nobody has looked yet"
        store.refresh_clock()
        assert re.search(r"has jumped by \+34560\d\d s", store.clock_held or "")
        assert_present(store)
        assert store.purge(store.now() - RETENTION_SECONDS, 10) == 0
        assert all(map(same, [read(store, "a"), read(store, "b")], kept))
        clone = store.clone_for_thread()
        assert clone is not None
        with closing(opened(jumping.url, timeout_seconds=PATIENCE_SECONDS)) as joining:
            assert "has jumped" in (joining.clock_held or ""), "who starts now is told as well"
            assert_present(joining)
            joining.accept_clock()
            assert joining.clock_held is None
            assert joining.now() == pytest.approx(time.time() + FORTY_DAYS, abs=5)
        store.refresh_clock()
        assert store.clock_held is None
        assert clone.clock_held is None
        assert store.now() == pytest.approx(time.time() + FORTY_DAYS, abs=5)
        assert clone.now() == pytest.approx(store.now(), abs=1)
        assert store.purge(store.now() - RETENTION_SECONDS, 10) == 2
        clone.close()


def assert_present(store: Store) -> None:
    assert store.now() == pytest.approx(time.time(), abs=5)


def test_time_goes_on_where_redis_is_away(server: RedisServer, store: Store) -> None:
    before = store.now()
    server.kill()
    try:
        with pytest.raises(StoreError, match="cannot be reached"):
            store.refresh_clock()
        assert store.clock_held is None
        assert before <= store.now() < before + 60
        assert_present(store)
    finally:
        server.start()
    store.refresh_clock()
    assert_present(store)


def test_an_answer_that_came_late_does_not_set_the_clock_forward(server: RedisServer) -> None:
    relay = Relay(server.port)
    with closing(relay), closing(opened(relay.url, timeout_seconds=TIMEOUT_SECONDS)) as store:
        with server.frozen(), pytest.raises(StoreError):
            store.refresh_clock()
        assert_present(store)


def test_looks_are_kept_by_boot_and_old_ones_are_dropped(server: RedisServer) -> None:
    server.ask("FLUSHALL")
    machines = [Machine(f"boot {number:02}") for number in range(12)]
    for number, machine in enumerate(machines):
        for other in machines:
            other.wait(DAY)
        with closing(on(machine, server)) as store:
            assert store.clock_held is None
        assert server.ask("HLEN", CLOCK) == number + 1
    for _ in range(31):
        for machine in machines:
            machine.wait(DAY)
        with closing(on(machines[0], server)) as store:
            assert store.clock_held is None
    kept = [f"boot {number:02}".encode() for number in (0, *range(5, 12))]
    assert sorted(server.ask("HKEYS", CLOCK)) == kept, "the eight latest in any case"


def test_a_machine_that_joins_compares_with_the_others(server: RedisServer) -> None:
    server.ask("FLUSHALL")
    with closing(on(Machine("first"), server)) as store:
        assert store.now() == 1e9
    with closing(on(Machine("second", wall=1e9 - 100), server)) as store:
        assert "100 s behind" in (store.clock_held or "")
        assert store.now() == 1e9
        store.accept_clock()
        assert store.now() == 1e9 - 100
    assert server.ask("HKEYS", CLOCK) == [b"second"]


def test_a_key_that_no_clock_left(server: RedisServer, store: Store) -> None:
    server.ask("HSET", CLOCK, "boot", "noon")
    with pytest.raises(StoreError, match="not what a clock left; remove it"):
        store.refresh_clock()
    with pytest.raises(StoreError, match="not what a clock left; remove it"):
        opened(server.url)
