"""Sessions that Redis forgets by itself, and indexes that are longer than one question."""

import time
from contextlib import closing

import pytest

from service.stores.redis.partitions import home_of
from service.stores.store import Position, Store
from tests.contract.redis.stores import created, opened
from tests.contract.sessions import moved, same, session
from tests.redis_server import RedisServer
from tests.waiting import wait_until

FIRST: Position = ("", "")


def test_redis_forgets_by_itself(server: RedisServer, store: Store) -> None:
    now = time.time()
    kept = session("kept", created_at=now, expires_at=now + 500)
    store.create(kept)
    with closing(opened(server.url, retention_seconds=0.2)) as hasty:
        hasty.create(session("gone", created_at=now, expires_at=now + 0.2))
        hasty.create(session("renewed", created_at=now, expires_at=now + 0.2))
        renewed = moved(session("renewed", created_at=now, expires_at=now + 600.25))
        assert hasty.replace([renewed]) == [True]
        assert server.ask("PEXPIRETIME", home_of("renewed").key) == int((now + 600.45) * 1000)
        assert hasty.read(["gone"]) != [None], "readable for a while behind its end"
        wait_until(lambda: hasty.read(["gone"]) == [None], lambda: "Redis did not forget")
        assert time.time() >= now + 0.4
        page = hasty.page(model=None, after=("", ""), limit=10)
        assert [one.session_id for one in page] == ["kept", "renewed"]
        assert hasty.count(time.time()) == 2
        assert hasty.purge(now + 100, limit=10) == 1, "its last traces"
        assert hasty.purge(now + 100, limit=10) == 0
    assert store.delete("kept")
    assert store.delete("renewed")
    left = {key for key in server.ask("KEYS", "*") if not key.endswith(b":schema")}
    assert left == set()


def test_an_id_that_redis_forgot_is_taken_by_another_model(
    server: RedisServer, store: Store
) -> None:
    now = time.time()
    with closing(opened(server.url, retention_seconds=0.0)) as hasty:
        hasty.create(session("s", model="first", created_at=now, expires_at=now + 0.1))
        wait_until(lambda: hasty.read(["s"]) == [None], lambda: "Redis did not forget")
    second = session("s", model="second", created_at=now + 1, expires_at=now + 600)
    store.create(second)
    for model, found in {"first": [], "second": ["s"], None: ["s"]}.items():
        page = store.page(model=model, after=FIRST, limit=10)
        assert [one.session_id for one in page] == found
    assert store.purge(now + 300, limit=10) == 1
    assert same(store.read(["s"])[0], second)
    assert store.purge(now + 601, limit=10) == 1
    assert store.read(["s"]) == [None]


@pytest.mark.parametrize("end", [1e300, float("inf"), 2.0**53])
def test_ends_that_lie_far_ahead(store: Store, end: float) -> None:
    store.create(session(expires_at=end))
    assert same(store.read(["s"])[0], session(expires_at=end))
    assert store.count(1e15) == 1


@pytest.mark.parametrize("limit", [7, 100, 999, 5000])
def test_pages_of_more_than_one_question(store: Store, limit: int) -> None:
    """Half of the sessions are in one partition, which makes the questions uneven."""
    uneven = [one for one in map(str, range(20_000)) if home_of(one).partition == 5][:200]
    names = sorted({*uneven, *(f"s{number}" for number in range(200))})
    created(store, *names)
    found: list[str] = []
    while page := store.page(
        model=None, after=("weather", found[-1] if found else ""), limit=limit
    ):
        assert len(page) == min(limit, len(names) - len(found))
        found += [one.session_id for one in page]
    assert found == names
    end = session().expires_at + 1
    purged: list[int] = []
    while not purged or purged[-1]:
        purged.append(store.purge(end, limit=limit))
    assert sum(purged) == len(names)
    assert set(purged[:-2]) <= {limit}
