"""The end of a session, with other writers in between."""

from collections.abc import Callable

import pytest

from service.errors import (
    PreconditionFailed,
    SessionContended,
    SessionFinished,
    SessionNotFound,
)
from service.operations.conditions import ANY, UNCONDITIONAL, Conditions
from service.sessions.admission import tag
from service.sessions.deletion import delete
from service.sessions.reader import Reader
from service.sessions.recent import Recent
from service.stores.memory import MemoryStore
from tests.contract.sessions import finished, found_in, read, same
from tests.unit.sessions.steps import RacedStore, rival_step, weather


def raced(rival: Callable[[MemoryStore], object], times: int = 1) -> RacedStore:
    """With a writer that is faster whenever the session is about to be ended."""
    store = RacedStore(rival, times)
    store.create(weather("a"))
    return store


def delete_a(store: MemoryStore, conditions: Conditions = UNCONDITIONAL) -> bool:
    return delete(store, Reader(store, Recent(0)), weather("a").identity, conditions)


@pytest.mark.parametrize("tags", [None, frozenset([ANY])])
def test_a_step_in_between_does_not_save_it(tags: frozenset[str] | None) -> None:
    store = raced(lambda store: rival_step(store, "a"))
    assert delete_a(store, Conditions(if_match=tags))
    assert found_in(store, "a").finished


def test_a_step_in_between_makes_a_tag_untrue() -> None:
    store = raced(lambda store: rival_step(store, "a"))
    with pytest.raises(PreconditionFailed) as raised:
        delete_a(store, Conditions(if_match=frozenset([tag(weather("a"))])))
    left = found_in(store, "a")
    assert (raised.value.step, raised.value.tag) == (107, tag(left))
    assert (left.step, left.finished) == (107, False)


def test_whoever_always_loses_deletes_nothing() -> None:
    store = raced(lambda store: rival_step(store, "a"), times=1_000)
    with pytest.raises(SessionContended):
        delete_a(store)
    left = found_in(store, "a")
    assert left.step > 107
    assert not left.finished


def test_another_one_deleted_it_in_between() -> None:
    before = weather("a")
    tombstone = finished(before)
    store = raced(lambda store: MemoryStore.replace(store, [tombstone], [before.revision]))
    with pytest.raises(SessionFinished):
        delete_a(store)
    assert same(read(store, "a"), tombstone)


def test_what_was_there_is_gone_in_between() -> None:
    store = raced(lambda store: store.remove(weather("a").identity))
    with pytest.raises(SessionNotFound):
        delete_a(store)
