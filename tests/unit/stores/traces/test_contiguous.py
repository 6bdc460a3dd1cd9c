"""The latest run of a trace without a gap, against what was done to the session."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from service.stores.traces.traces import Piece, contiguous
from tests.contract.traces_contract import all_same, piece


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Piece], list[Piece]]:
    """The pieces of a trace as they came, and what can be shown of it.

    The session changed many times; some changes are not in the trace, and some pieces have a state.
    Processes overtook one another, but not with the latest piece.
    """
    count = draw(st.integers(1, 30))
    stated = draw(st.lists(st.booleans(), min_size=count, max_size=count))
    kept = draw(
        st.lists(st.sampled_from([True, True, True, False]), min_size=count, max_size=count)
    )
    changes = [piece(number, steps=2, stated=stated[number]) for number in range(count)]
    came = [one for one, is_kept in zip(changes, kept, strict=True) if is_kept]
    run: list[Piece] = []
    for one in reversed(came):
        if run and one.after != run[0].before:
            break
        run.insert(0, one)
    while run and run[0].state is None:
        run.pop(0)
    return [*draw(st.permutations(came[:-1])), *came[-1:]], run


@given(histories())
def test_the_run_to_the_latest_piece(history: tuple[list[Piece], list[Piece]]) -> None:
    came, wanted = history
    assert all_same(contiguous(came), wanted)


@given(st.permutations(range(12)))
def test_whichever_came_last(order: list[int]) -> None:
    """Without a gap all are of one run."""
    came = [piece(number, stated=number in (3, 7)) for number in order]
    assert [one.step for one in contiguous(came)] == list(range(3, 12))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.booleans()), max_size=12))
def test_whatever_a_store_says(pairs: list[tuple[int, int, bool]]) -> None:
    """Revisions that repeat, or go round, end nowhere else than a gap."""
    came = [
        piece(number, stated=stated, before=before, after=after)
        for number, (before, after, stated) in enumerate(pairs)
    ]
    run = contiguous(came)
    assert not run or run[0].state is not None
    assert all(one.after == other.before for one, other in pairwise(run))
    assert len({one.after for one in run}) == len(run)


def test_a_state_that_was_put_in_place_begins_a_run() -> None:
    """It changes the revision and gives no piece."""
    pieces = [piece(0, stated=True), piece(1), piece(3), piece(4, stated=True), piece(5)]
    assert [one.step for one in contiguous(pieces)] == [4, 5]
    assert contiguous(pieces[:3]) == [], "the latest step has no state before it"


def test_after_a_store_has_lost_changes() -> None:
    """What went on from an earlier state counts, and nothing of what was lost."""
    lost = [piece(number, stated=number == 0) for number in range(6)]
    first = piece(3, before=lost[2].after, after=50)
    second = piece(4, before=50, after=51)
    for later in ([first], [first, second]):
        assert all_same(contiguous([*lost, *later]), [*lost[:3], *later])


def test_no_pieces() -> None:
    assert contiguous([]) == []
