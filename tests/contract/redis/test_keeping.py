"""Sessions stay until they are purged, and indexes are longer than one question."""

import pytest

from service.stores.redis.partitions import home_of
from service.stores.store import Store
from tests.contract.listing_contract import ids_of, listed
from tests.contract.redis.stores import created, everything
from tests.contract.sessions import finished, read, replaced, same, session, step
from tests.redis_server import RedisServer


def test_redis_forgets_nothing_by_itself(server: RedisServer, store: Store) -> None:
    """Its clock may jump."""
    first, second, third = created(store, *"abc")
    step(store, first)
    assert replaced(store, (second, finished(second))) == [True]
    store.refresh_clock()
    assert {end for _, end in everything(server).values()} == {-1}
    store.create(session("long ago", created_at=1.0, expires_at=2.0))
    assert same(read(store, "long ago"), session("long ago", created_at=1.0, expires_at=2.0))
    assert store.purge(third.expires_at + 1e6, limit=10) == 4
    left = {key.rpartition(b":")[2] for key in everything(server)}
    assert left == {b"schema", b"clock"}


@pytest.mark.parametrize("end", [1e300, float("inf"), 2.0**53])
def test_ends_that_lie_far_ahead(store: Store, end: float) -> None:
    store.create(session(expires_at=end))
    assert same(read(store), session(expires_at=end))
    assert store.count(1e15) == 1


@pytest.mark.parametrize("limit", [7, 100, 999, 5000])
def test_pages_of_more_than_one_question(store: Store, limit: int) -> None:
    """Half of the sessions are in one partition, which makes the questions uneven."""
    uneven = [one for one in map(str, range(20_000)) if home_of("", one).partition == 5][:200]
    names = sorted({*uneven, *(f"s{number}" for number in range(200))})
    created(store, *names)
    found: list[str] = []
    while page := listed(store, after=("weather", found[-1] if found else ""), limit=limit):
        assert len(page) == min(limit, len(names) - len(found))
        found += ids_of(page)
    assert found == names
    end = session().expires_at + 1
    purged: list[int] = []
    while not purged or purged[-1]:
        purged.append(store.purge(end, limit=limit))
    assert sum(purged) == len(names)
    assert set(purged[:-2]) <= {limit}
