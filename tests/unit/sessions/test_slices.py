"""What comes, cut into slices of time."""

from collections.abc import Iterator
from itertools import count

import pytest

from service.sessions.sequences import slices


def sliced(until: int, first_seconds: float = 0.0) -> Iterator[list[int]]:
    """Every look at the clock is a second later, a slice three."""
    ticks = count()
    return slices(
        iter(range(until)),
        first_seconds=first_seconds,
        seconds=3.0,
        clock=lambda: float(next(ticks)),
    )


def test_the_first_item_comes_alone_and_the_others_by_time() -> None:
    assert list(sliced(8)) == [[0], [1, 2, 3], [4, 5, 6], [7]]


def test_the_first_slice_may_be_as_long_as_others() -> None:
    assert list(sliced(5, first_seconds=3.0)) == [[0, 1, 2], [3, 4]]


@pytest.mark.parametrize("until", [0, 1, 2, 3, 4, 5])
def test_nothing_is_left_out_and_no_slice_is_empty(until: int) -> None:
    found = list(sliced(until))
    assert [item for taken in found for item in taken] == list(range(until))
    assert all(found)


def test_an_error_is_raised_to_whoever_takes() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise ZeroDivisionError

    found = slices(failing(), first_seconds=0.0)
    assert next(found) == [1]
    with pytest.raises(ZeroDivisionError):
        next(found)
