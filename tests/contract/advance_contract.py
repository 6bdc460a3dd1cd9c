"""Sessions that move on by time steps, as columns: the same as replacing them one by one."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from service.stores.columns import Columns, Moves
from service.stores.store import Identity, Session, Store
from tests.contract.sessions import blobs, found_in, identities, moved, read, same, session

MANY = 1201
"""More than any limit on bound variables that a database has had."""


def known(store: Store, sessions: Sequence[Session]) -> list[Session]:
    """Create sessions, and read them as somebody who steps them does."""
    for one in sessions:
        store.create(one)
    found = store.read([one.identity for one in sessions])
    assert all(isinstance(one, Session) for one in found)
    return [one for one in found if isinstance(one, Session)]


def step_of(before: Session, *, keyed: bool = False) -> Session:
    """What a step makes of a session, with receipts and writers where it has a key."""
    left = {"receipts": b"receipts\x00", "writers": b"\xffwriters"} if keyed else {}
    later = {"expires_at": before.expires_at + 1000.0, "fell_back_from": None}
    return moved(before, **later, **left)


def moves_of(before: Sequence[Session], after: Sequence[Session], *, keyed: bool = False) -> Moves:
    expected = [one.revision for one in before]
    return Moves(Columns.of(after), expected, keyed=keyed)


class AdvanceContract:
    """Subclasses define the fixture `store`: an empty one."""

    @pytest.mark.parametrize("keyed", [False, True])
    @pytest.mark.parametrize("count", [1, 3, MANY])
    def test_sessions_move_on(self, store: Store, count: int, *, keyed: bool) -> None:
        before = known(store, [session(f"s{n}", step=n, **blobs()) for n in range(count)])
        after = [step_of(one, keyed=keyed) for one in before]
        assert store.advance([moves_of(before, after, keyed=keyed)]) == [True] * count
        found = store.read([one.identity for one in before])
        assert all(same(one, other) for one, other in zip(found, after, strict=True))

    def test_those_that_were_faster_keep_what_they_have(self, store: Store) -> None:
        before = known(store, [session(one) for one in "abcd"])
        faster = moved(before[1], step=100, revision=5)
        assert store.replace([faster], [before[1].revision]) == [True]
        store.remove(before[2].identity)
        after = [step_of(one) for one in before]
        assert store.advance([moves_of(before, after)]) == [True, False, False, True]
        expected = [after[0], faster, None, after[3]]
        found = store.read(identities(*"abcd"))
        assert all(same(one, other) for one, other in zip(found, expected, strict=True))

    def test_one_alone_that_another_was_faster_with(self, store: Store) -> None:
        (before,) = known(store, [session()])
        faster = moved(before, step=100, revision=5)
        store.replace([faster], [before.revision])
        assert store.advance([moves_of([before], [step_of(before)])]) == [False]
        assert same(read(store), faster)

    def test_groups_of_other_models_share_a_commit(self, store: Store) -> None:
        small = known(store, [session(one) for one in "ab"])
        large = known(store, [session("c", model="other", state=np.ones(9, np.float32))])
        after, other = [step_of(one) for one in small], [step_of(one, keyed=True) for one in large]
        stale = replace(small[1], revision=5)
        moves = [moves_of([small[0], stale], after), moves_of(large, other, keyed=True)]
        assert store.advance(moves) == [True, False, True]
        assert same(read(store, "a"), after[0])
        assert same(read(store, "b"), small[1])
        assert same(read(store, "c"), other[0])

    def test_what_fell_back_is_marked_no_more(self, store: Store) -> None:
        before = known(store, [session(fell_back_from=9), session("t", tenant="north")])
        after = [step_of(one) for one in before]
        moves = [moves_of([one], [other]) for one, other in zip(before, after, strict=True)]
        assert store.advance(moves) == [True, True]
        assert found_in(store).fell_back_from is None
        assert same(read(store, "t", tenant="north"), after[1])

    def test_a_session_that_was_never_read(self, store: Store) -> None:
        """Whoever created it does not know its place in the store."""
        one = session()
        store.create(one)
        after = step_of(one)
        assert store.advance([moves_of([one], [after])]) == [True]
        assert same(read(store), after)

    def test_nobody_moves(self, store: Store) -> None:
        assert store.advance([]) == []

    def test_the_place_of_one_that_is_gone_is_nobody_else_s(self, store: Store) -> None:
        (before,) = known(store, [session("a")])
        store.remove(Identity("", "a"))
        (other,) = known(store, [session("b")])
        assert store.advance([moves_of([before], [step_of(before)])]) == [False]
        assert same(read(store, "b"), other)
        assert read(store, "a") is None
