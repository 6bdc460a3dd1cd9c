"""What every store of traces promises. Its own test file subclasses this and gives it one."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from threading import Thread
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from service.errors import StoreError, TooManyTraces
from service.stores.traces.traces import PIECE_BYTES, Piece, Trace, Traces, contiguous

NOW = time.time() // 1 + 0.125
"""A store that forgets by itself goes by the real clock."""
MOST = 1000
STATE = np.array([0.5, -0.0, 3e-41], np.float32)

Opener = Callable[[], Traces]
"""Opens the same traces once more."""


def trace(trace_id: str = "t", /, **fields: object) -> Trace:
    """One that records session "s", unless it is said otherwise."""
    made = Trace("", trace_id, "s", "weather", 3, NOW, NOW + 60.5, 10**6, b'{"n": "\xc3\xb6"}')
    given: dict[str, Any] = fields
    return replace(made, **given)


def inputs_of(steps: int, first: int = 0) -> NDArray[np.float32]:
    """[steps, 2], no two of them alike."""
    return np.arange(2 * first, 2 * (first + steps), dtype=np.float32).reshape(steps, 2)


def piece(number: int, *, steps: int = 1, stated: bool = False, **fields: object) -> Piece:
    """The one of this number, from 0, of a session whose pieces have as many steps each."""
    step = number * steps
    made = Piece(
        step,
        3,
        number + 1,
        1000 + number,
        1001 + number,
        inputs_of(steps, step),
        STATE if stated else None,
    )
    given: dict[str, Any] = fields
    return replace(made, **given)


def same(one: Piece, other: Piece) -> bool:
    """To the last bit."""
    return (
        (one.step, one.version, one.changes, one.before, one.after)
        == (other.step, other.version, other.changes, other.before, other.after)
        and _same_array(one.inputs, other.inputs)
        and _same_array(one.state, other.state)
    )


def _same_array(one: NDArray[Any] | None, other: NDArray[Any] | None) -> bool:
    if one is None or other is None:
        return one is other
    return (one.shape, one.dtype, one.tobytes()) == (other.shape, other.dtype, other.tobytes())


def all_same(found: Sequence[Piece], wanted: Sequence[Piece]) -> bool:
    return len(found) == len(wanted) and all(map(same, found, wanted))


def append(traces: Traces, *pieces: Piece, trace_id: str = "t", tenant: str = "") -> None:
    traces.append([(tenant, trace_id, one) for one in pieces])


class TracesContract:
    """Subclasses define the fixture `traces`, an empty one, and `opener`."""

    def test_there_is_nothing_at_first(self, traces: Traces) -> None:
        assert traces.find("", "t") is None
        assert traces.of_tenant("") == []
        assert traces.recorded() == []
        assert traces.pieces("", "t") == []
        assert not traces.delete("", "t")
        assert traces.purge(NOW + 1e6) == 0
        append(traces, piece(0))
        traces.append([])
        assert traces.pieces("", "t") == []

    @pytest.mark.parametrize("session_id", ["s", "", "sö\x00", None])
    def test_a_trace_is_found_unchanged(self, traces: Traces, session_id: str | None) -> None:
        made = trace(session_id=session_id, version=2**40, max_bytes=2**40)
        traces.create(made, [], most=MOST)
        assert traces.find("", "t") == made
        assert traces.of_tenant("") == [made]

    def test_every_bit_of_a_piece_is_kept(self, traces: Traces) -> None:
        bits = np.array([[0x7FC00001, 0x80000000], [0x7F800000, 1]], np.uint32).view(np.float32)
        pieces = [
            Piece(0, 1, 0, 0, 1, bits, bits[0].copy()),
            Piece(2**50, 2**40, 2**60, 2**63 - 1, 2**62, np.array([2**40, -1], np.int64)),
            Piece(1, 1, 1, 1, 2, np.zeros((0, 2), np.float32), STATE),
            Piece(1, 1, 1, 1, 2, np.zeros(0, np.int64), np.zeros(0, np.float32)),
            Piece(1, 1, 1, 1, 2, inputs_of(6)[::2]),
        ]
        traces.create(trace(), pieces[:2], most=MOST)
        append(traces, *pieces[2:])
        assert all_same(traces.pieces("", "t"), pieces)

    def test_what_is_kept_is_nobody_elses(self, traces: Traces) -> None:
        """A batch is computed in place of the last one."""
        inputs = inputs_of(1)
        traces.create(trace(), [piece(0, inputs=inputs)], most=MOST)
        inputs[:] = 7
        assert all_same(traces.pieces("", "t"), [piece(0)])

    def test_pieces_come_in_the_order_in_which_they_were_added(self, traces: Traces) -> None:
        traces.create(trace(), [piece(3)], most=MOST)
        for number in (5, 4):
            append(traces, piece(number))
        append(traces, piece(7), piece(6))
        assert [one.step for one in traces.pieces("", "t")] == [3, 5, 4, 7, 6]

    @pytest.mark.parametrize("after", [-1, 0, 1, 99, 149, 150, 2**62])
    def test_only_what_is_new(self, traces: Traces, after: int) -> None:
        pieces = [piece(number) for number in range(150)]
        traces.create(trace(), pieces, most=MOST)
        wanted = [one for one in pieces if one.changes > after]
        assert all_same(traces.pieces("", "t", after_changes=after), wanted)

    def test_additions_to_several_traces_at_once(self, traces: Traces) -> None:
        ids = [f"t{number}" for number in range(20)]
        for one in ids:
            traces.create(trace(one), [], most=MOST)
        traces.append([("", one, piece(number)) for number in range(3) for one in (*ids, "gone")])
        for one in ids:
            assert all_same(traces.pieces("", one), [piece(0), piece(1), piece(2)])
        assert traces.pieces("", "gone") == []

    def test_a_trace_takes_the_place_of_one_with_its_id(self, traces: Traces) -> None:
        traces.create(trace(), [piece(0)], most=MOST)
        other = trace(session_id=None, model="other", about=b"{}")
        traces.create(other, [piece(5)], most=MOST)
        assert traces.find("", "t") == other
        assert traces.recorded() == []
        assert all_same(traces.pieces("", "t"), [piece(5)])

    def test_tenants_do_not_see_each_other(self, traces: Traces) -> None:
        tenants = ["", "a", "a:", "1:a", "ä"]
        for number, tenant in enumerate(tenants):
            traces.create(trace(tenant=tenant, version=number), [piece(number)], most=MOST)
        append(traces, piece(9), tenant="a")
        assert traces.delete("ä", "t")
        assert not traces.delete("b", "t")
        for number, tenant in enumerate(tenants[:-1]):
            wanted = [piece(number), *([piece(9)] if tenant == "a" else [])]
            assert traces.find(tenant, "t") == trace(tenant=tenant, version=number)
            assert traces.of_tenant(tenant) == [trace(tenant=tenant, version=number)]
            assert all_same(traces.pieces(tenant, "t"), wanted)
        assert {one.tenant for one in traces.recorded()} == set(tenants[:-1])

    def test_a_tenant_and_an_id_are_not_taken_for_another_pair(self, traces: Traces) -> None:
        pairs = [("a", "bc"), ("ab", "c"), ("", "abc"), ("a:", "bc"), ("a", ":bc"), ("A", "bc")]
        for number, (tenant, trace_id) in enumerate(pairs):
            traces.create(trace(trace_id, tenant=tenant), [piece(number)], most=MOST)
        for number, pair in enumerate(pairs):
            assert all_same(traces.pieces(*pair), [piece(number)])

    def test_what_is_recorded_and_of_which_session(self, traces: Traces) -> None:
        made = [
            trace("1", session_id="a", created_at=NOW + 2),
            trace("2", session_id=None, created_at=NOW + 1),
            trace("3", session_id="b"),
            trace("4", session_id="a"),
            trace("5", session_id="a", tenant="other"),
        ]
        for one in made:
            traces.create(one, [], most=MOST)
        recorded = {(one.tenant, one.trace_id, one.session_id) for one in traces.recorded()}
        assert recorded == {("", "1", "a"), ("", "3", "b"), ("", "4", "a"), ("other", "5", "a")}
        assert [one.trace_id for one in traces.of_tenant("")] == ["3", "4", "2", "1"]
        assert [one.trace_id for one in traces.of_tenant("", "a")] == ["4", "1"]
        assert traces.of_tenant("", "c") == []

    def test_no_more_than_may_live(self, traces: Traces) -> None:
        traces.create(trace("1"), [], most=2)
        traces.create(trace("2", expires_at=NOW + 10), [], most=2)
        with pytest.raises(TooManyTraces, match="2 traces live, at most 2 may"):
            traces.create(trace("3", tenant="other"), [piece(0)], most=2)
        assert traces.find("other", "3") is None
        traces.create(trace("2", expires_at=NOW + 10, model="again"), [], most=2)
        late = trace("3", created_at=NOW + 10, expires_at=NOW + 20)
        traces.create(late, [], most=2)
        assert traces.find("", "3") == late
        assert traces.delete("", "3")
        traces.create(replace(late, trace_id="4"), [], most=2)

    def test_one_that_would_be_too_many_leaves_the_old_one(self, traces: Traces) -> None:
        traces.create(trace("1", expires_at=NOW + 10), [piece(0)], most=2)
        traces.create(trace("2"), [], most=2)
        traces.create(trace("3", created_at=NOW + 11), [], most=2)
        with pytest.raises(TooManyTraces):
            traces.create(trace("1", created_at=NOW + 12), [], most=2)
        assert all_same(traces.pieces("", "1"), [piece(0)])

    def test_expired_ones_are_there_until_they_are_purged(self, traces: Traces) -> None:
        for number in range(5):
            one = trace(f"{number}", expires_at=NOW + number)
            traces.create(one, [piece(number)], most=MOST)
        assert traces.find("", "0") is not None
        assert traces.purge(NOW + 2) == 2
        assert traces.purge(NOW + 2) == 0
        assert [one.trace_id for one in traces.of_tenant("")] == ["2", "3", "4"]
        assert len(traces.recorded()) == 3
        assert traces.pieces("", "1") == []
        append(traces, piece(7), trace_id="1")
        assert traces.pieces("", "1") == []
        assert all_same(traces.pieces("", "2"), [piece(2)])

    def test_the_oldest_leave_up_to_a_piece_with_a_state(self, traces: Traces) -> None:
        size = piece(0).size
        traces.create(trace(max_bytes=8 * size), [piece(0, stated=True)], most=MOST)
        append(traces, *(piece(number, stated=number % 4 == 0) for number in range(1, 7)))
        assert len(traces.pieces("", "t")) == 7, "with two states it fits"
        append(traces, piece(7))
        found = traces.pieces("", "t")
        assert [one.step for one in found] == [4, 5, 6, 7]
        assert all_same(found[:1], [piece(4, stated=True)])
        append(traces, *(piece(number, stated=number % 4 == 0) for number in range(8, 12)))
        assert [one.step for one in traces.pieces("", "t")] == [8, 9, 10, 11]
        assert sum(one.size for one in traces.pieces("", "t")) <= 8 * size

    def test_exactly_what_fits_stays(self, traces: Traces) -> None:
        pieces = [piece(0, stated=True), *(piece(number) for number in range(1, 5))]
        whole = sum(one.size for one in pieces)
        traces.create(trace(max_bytes=whole), pieces, most=MOST)
        assert len(traces.pieces("", "t")) == 5
        traces.create(trace(max_bytes=whole - 1), pieces, most=MOST)
        assert traces.pieces("", "t") == [], "none of the others can be computed"

    def test_a_piece_that_is_too_large_empties_a_trace(self, traces: Traces) -> None:
        traces.create(trace(max_bytes=1000), [piece(0, stated=True)], most=MOST)
        append(traces, piece(1, steps=1000, stated=True))
        assert traces.pieces("", "t") == []
        append(traces, piece(2, stated=True))
        assert all_same(traces.pieces("", "t"), [piece(2, stated=True)])

    def test_a_long_life_within_few_bytes(self, traces: Traces) -> None:
        most = 100 * PIECE_BYTES
        traces.create(trace(max_bytes=most), [], most=MOST)
        for first in range(0, 2000, 50):
            numbers = range(first, first + 50)
            append(traces, *(piece(number, stated=number % 10 == 0) for number in numbers))
            found = traces.pieces("", "t")
            assert sum(one.size for one in found) <= most
            assert found[0].state is not None
            assert all(one.after == other.before for one, other in pairwise(found))
            assert found[-1].step == first + 49

    def test_pieces_of_100_000_steps(self, traces: Traces) -> None:
        pieces = [piece(number, steps=100_000, stated=True) for number in range(3)]
        tokens = piece(3, inputs=np.arange(100_000, dtype=np.int64))
        traces.create(trace(max_bytes=2**24), pieces[:1], most=MOST)
        append(traces, *pieces[1:], tokens)
        assert all_same(traces.pieces("", "t"), [*pieces, tokens])

    def test_two_at_once_keep_every_byte_and_their_own_order(
        self, traces: Traces, opener: Opener
    ) -> None:
        """What takes turns in a real service; here nothing but the store keeps them apart."""
        steps, most = 300, 200 * PIECE_BYTES
        traces.create(trace("whole"), [], most=MOST)
        traces.create(trace("trimmed", max_bytes=most), [], most=MOST)
        with closing(opener()) as other:
            writers = [
                Thread(target=_append_each, args=(one, range(first, first + steps)))
                for one, first in ((traces, 0), (other, 10_000))
            ]
            for writer in writers:
                writer.start()
            for writer in writers:
                writer.join()
        found = traces.pieces("", "whole")
        assert len(found) == 2 * steps
        for first in (0, 10_000):
            own = [one for one in found if first <= one.step < first + steps]
            assert all_same(own, _stated(range(first, first + steps)))
        left = traces.pieces("", "trimmed")
        assert sum(one.size for one in left) <= most
        assert all_same(left, found[-len(left) :]) or _is_latest(left)

    def test_another_sees_what_one_does(self, traces: Traces, opener: Opener) -> None:
        with closing(opener()) as other:
            assert other.recorded() == []
            traces.create(trace(), [piece(0)], most=MOST)
            assert [one.trace_id for one in other.recorded()] == ["t"]
            append(other, piece(1))
            assert all_same(traces.pieces("", "t"), [piece(0), piece(1)])
            assert other.delete("", "t")
            assert traces.recorded() == []
            append(traces, piece(2))
            assert traces.pieces("", "t") == []

    def test_a_closed_one_says_so(self, traces: Traces) -> None:
        traces.create(trace(), [], most=MOST)
        traces.close()
        for call in (traces.recorded, lambda: append(traces, piece(0))):
            with pytest.raises(StoreError, match="closed"):
                call()
        traces.close()

    def test_a_recorded_session_is_contiguous(self, traces: Traces) -> None:
        pieces = [piece(number, stated=number in (2, 5)) for number in range(8)]
        traces.create(trace(), pieces, most=MOST)
        assert all_same(contiguous(traces.pieces("", "t")), pieces[2:])


def _stated(numbers: range) -> list[Piece]:
    return [piece(number, stated=number % 10 == 0) for number in numbers]


def _append_each(traces: Traces, numbers: range) -> None:
    for one in _stated(numbers):
        traces.append([("", "whole", one), ("", "trimmed", one)])


def _is_latest(left: Sequence[Piece]) -> bool:
    """Of what each of two writers wrote last; they may have been interleaved in another way."""
    for first in (0, 10_000):
        steps = [one.step for one in left if first <= one.step < first + 5000]
        if steps != list(range(first + 300 - len(steps), first + 300)):
            return False
    return True
