"""The steps of a trace, read piece by piece from a store of traces."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.stores.traces.memory import MemoryTraces
from service.stores.traces.traces import Piece, Trace
from service.traces import pieces as module
from service.traces.pieces import Pieces, Steps

TRACE = Trace("", "t", "session", "weather", 1, 0.0, 1e12, 10**9)


def piece(at: int, *, state: bool = False, steps: int = 1, before: int | None = None) -> Piece:
    """Of the change that takes the session from revision 1000 + at to the next one."""
    inputs = np.full((steps, 2), at, np.float32)
    known = np.full(3, at, np.float32) if state else None
    revision = 1000 + at if before is None else before
    return Piece(10 * at, 1, at + 1, revision, 1001 + at, inputs, known)


def store_with(pieces: Sequence[Piece], max_bytes: int = 10**9) -> tuple[MemoryTraces, Trace]:
    store = MemoryTraces()
    trace = Trace("", "t", "session", "weather", 1, 0.0, 1e12, max_bytes)
    store.create(trace, pieces, most=10)
    return store, trace


def append(store: MemoryTraces, *pieces: Piece) -> None:
    store.append([("", "t", one) for one in pieces])


def seen(steps: Steps | None) -> list[float]:
    """The first number of each step's input."""
    if steps is None:
        return []
    return [row[0] for one in steps.stretches for row in one.inputs.tolist()]


class CountingTraces(MemoryTraces):
    """Counts the pieces that were read."""

    read = 0

    def pieces(self, tenant: str, trace_id: str, *, after_changes: int = -1) -> list[Piece]:
        found = super().pieces(tenant, trace_id, after_changes=after_changes)
        self.read += len(found)
        return found


@given(st.lists(st.booleans(), max_size=30), st.data())
def test_in_whatever_parts_they_come(states: list[bool], data: st.DataObject) -> None:
    every = [piece(0, state=True)] + [piece(at + 1, state=one) for at, one in enumerate(states)]
    cuts = data.draw(st.lists(st.integers(0, len(every)), max_size=5).map(sorted))
    store, trace = store_with([])
    known = Pieces(store, 10**9)
    begin = 0
    for cut in [*cuts, len(every)]:
        append(store, *every[begin:cut])
        begin = max(begin, cut)
        steps = known.of(trace)
        assert seen(steps) == list(range(begin))
    assert steps is not None
    whole = Pieces(store, 10**9).of(trace)
    assert whole is not None
    assert steps.size == whole.size == sum(one.size for one in every)
    assert [one.step for one in steps.stretches] == [one.step for one in whole.stretches]
    for ours, theirs in zip(steps.stretches, whole.stretches, strict=True):
        np.testing.assert_array_equal(ours.revisions, theirs.revisions)
        np.testing.assert_array_equal(ours.state, theirs.state)


def test_only_what_is_new_is_read() -> None:
    store = CountingTraces()
    store.create(TRACE, [piece(0, state=True), *map(piece, range(1, 50))], most=10)
    known = Pieces(store, 10**9)
    known.of(TRACE)
    assert store.read == 50
    append(store, piece(50))
    assert seen(known.of(TRACE)) == list(range(51))
    assert seen(known.of(TRACE)) == list(range(51))
    assert store.read == 51


def test_a_piece_that_was_overtaken_is_waited_for() -> None:
    store, trace = store_with([piece(0, state=True), piece(1)])
    known = Pieces(store, 10**9)
    assert seen(known.of(trace)) == [0, 1]
    append(store, piece(3))  # another process was faster than the one that has piece 2
    assert seen(known.of(trace)) == [0, 1]
    append(store, piece(2))
    assert seen(known.of(trace)) == [0, 1, 2, 3]


def test_behind_a_gap_the_trace_begins_anew() -> None:
    store, trace = store_with([piece(0, state=True), piece(1)])
    known = Pieces(store, 10**9)
    known.of(trace)
    append(store, piece(5, state=True), piece(6))
    steps = known.of(trace)
    assert seen(steps) == [5, 6]
    assert steps is not None
    assert steps.stretches[0].step == 50


@pytest.mark.parametrize("most", [1, 500, 1000, 2500])
def test_no_more_is_shown_than_the_store_keeps(most: int) -> None:
    every = [piece(at, state=at % 5 == 0) for at in range(40)]
    store, trace = store_with([], most)
    known = Pieces(store, 10**9)
    for one in every:
        append(store, one)
        known.of(trace)
    there = [float(one.inputs[0, 0]) for one in store.pieces("", "t")]
    assert seen(known.of(trace)) == there


def test_at_most_so_many_steps_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_STEPS", 12)
    store, trace = store_with([piece(at, state=at % 5 == 0) for at in range(40)])
    assert seen(Pieces(store, 10**9).of(trace)) == list(range(30, 40))


def test_a_process_with_no_room_to_keep_reads_all_again() -> None:
    store = CountingTraces()
    store.create(TRACE, [piece(0, state=True), piece(1)], most=10)
    known = Pieces(store, 1)
    assert seen(known.of(TRACE)) == seen(known.of(TRACE)) == [0, 1]
    assert store.read == 4


def test_without_pieces_there_are_no_steps() -> None:
    store, trace = store_with([])
    known = Pieces(store, 10**9)
    assert known.of(trace) is None
    append(store, piece(0, state=True))
    assert seen(known.of(trace)) == [0]
    store.delete("", "t")
    known.forget(trace)
    assert known.of(trace) is None
