"""Several that use one Redis at once, and connections that were left in the middle."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier

from service.stores.redis.link import Access, Link, Node
from service.stores.store import Store
from tests.contract.redis.stores import TIMEOUT_SECONDS, created, opened
from tests.contract.sessions import moved, replaced, session, whole
from tests.redis_server import RedisServer
from tests.waiting import DEADLINE_SECONDS


def test_of_two_that_race_for_a_revision_one_wins(server: RedisServer, store: Store) -> None:
    sessions = created(store, *(str(number) for number in range(50)))
    start = Barrier(2)

    def race(step: int) -> list[object]:
        with closing(opened(server.url)) as own:
            outcomes: list[object] = []
            for one in sessions:
                start.wait()
                outcomes += replaced(own, (one, moved(one, step=step, revision=step)))
            return outcomes

    with ThreadPoolExecutor(2) as threads:
        outcomes = list(threads.map(race, (1000, 2000)))
    found = store.read([one.identity for one in sessions])
    for first, second, one in zip(*outcomes, found, strict=True):
        assert {first, second} == {True, False}
        assert whole(one).step == (1000 if first else 2000)


def test_revisions_are_compared_exactly(store: Store) -> None:
    """Behind 2**53 a double takes two revisions for one."""
    before = session(revision=2**53)
    store.create(before)
    assert store.replace([moved(before)], [2**53 + 1]) == [False]
    assert store.replace([moved(before, revision=2**53 + 1)], [2**53]) == [True]
    assert store.replace([moved(before)], [2**53]) == [False]
    store.create(session("last", revision=2**63 - 1))
    assert store.replace([moved(session("last"))], [2**63 - 2]) == [False]


def test_all_lost_and_begun_anew(server: RedisServer, store: Store) -> None:
    """As after a restart without persistence: services go on, and new ones can join them."""
    created(store, "a")
    server.ask("FLUSHALL")
    created(store, *"ab")
    with closing(opened(server.url)) as joining:
        assert joining.count(0.0) == 2


def test_answers_that_nobody_fetched(server: RedisServer) -> None:
    """As when a thread is interrupted between a question and its answer."""
    link = Link(Node("127.0.0.1", server.port), Access(False, {}, TIMEOUT_SECONDS))
    with server.frozen():
        link.send([(b"ECHO", b"first")], changes=False)
        link.send([(b"ECHO", b"second")], changes=False)
    with closing(link):
        assert link.receive(time.monotonic() + DEADLINE_SECONDS) == [b"second"]
