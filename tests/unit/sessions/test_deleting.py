"""The end of a session, with other writers in between."""

from collections.abc import Callable, Iterator

import pytest
from service.sessions.conditions import ANY, UNCONDITIONAL, Conditions, tag

from service.errors import PreconditionFailed, SessionContended, SessionNotFound
from service.repository.models import Models
from service.sessions.sequences import Sequences
from service.sessions.sessions import Sessions
from service.stores.memory import MemoryStore
from tests.unit.sessions.steps import NOW, rival_step, weather, whole


class RacedStore(MemoryStore):
    """A real store, and a writer that is faster whenever a session is about to be deleted."""

    def __init__(self, rival: Callable[[MemoryStore], object], times: int) -> None:
        super().__init__()
        self._rival = rival
        self._left = times
        self.create(weather("a"))

    def delete(self, session_id: str, revision: int | None = None) -> bool:
        if self._left:
            self._left -= 1
            self._rival(self)
        return super().delete(session_id, revision)

    def close(self) -> None:
        """Stays open: the tests look into it afterwards."""


@pytest.fixture
def sequences() -> Iterator[Sequences]:
    sequences = Sequences(1)
    yield sequences
    sequences.close()


async def delete(
    models: Models,
    sequences: Sequences,
    store: MemoryStore,
    conditions: Conditions = UNCONDITIONAL,
) -> None:
    limits = {"max_sessions": 9, "max_batch": 9, "max_queue": 9}
    sessions = Sessions(models, store, lambda: NOW, sequences, ttl_seconds=1.0, **limits)
    try:
        await sessions.delete("a", conditions)
    finally:
        await sessions.close()


@pytest.mark.parametrize("tags", [None, frozenset([ANY])])
async def test_a_step_in_between_does_not_save_it(
    models: Models, sequences: Sequences, tags: frozenset[str] | None
) -> None:
    store = RacedStore(lambda store: rival_step(store, "a"), times=1)
    await delete(models, sequences, store, Conditions(if_match=tags))
    assert store.read(["a"]) == [None]


async def test_a_step_in_between_makes_a_tag_untrue(models: Models, sequences: Sequences) -> None:
    store = RacedStore(lambda store: rival_step(store, "a"), times=1)
    conditions = Conditions(if_match=frozenset([tag(weather("a"))]))
    with pytest.raises(PreconditionFailed) as raised:
        await delete(models, sequences, store, conditions)
    assert (raised.value.step, raised.value.tag) == (107, "1")
    assert whole(store.read(["a"])[0]).step == 107


async def test_whoever_always_loses_deletes_nothing(models: Models, sequences: Sequences) -> None:
    store = RacedStore(lambda store: rival_step(store, "a"), times=1_000)
    with pytest.raises(SessionContended):
        await delete(models, sequences, store)
    assert whole(store.read(["a"])[0]).step > 107


async def test_another_one_deleted_it_in_between(models: Models, sequences: Sequences) -> None:
    store = RacedStore(lambda store: MemoryStore.delete(store, "a"), times=1)
    with pytest.raises(SessionNotFound):
        await delete(models, sequences, store)
