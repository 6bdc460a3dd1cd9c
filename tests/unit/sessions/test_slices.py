"""A generator cut into slices of time."""

from collections.abc import Generator
from itertools import count

import pytest

from service.sessions.sequences import Slices


def numbers(until: int) -> Generator[int, None, str]:
    yield from range(until)
    return "over"


def sliced(until: int, first_seconds: float = 0.0) -> Slices[int, str]:
    """Every look at the clock is a second later, a slice three."""
    ticks = count()
    return Slices(
        numbers(until), first_seconds=first_seconds, seconds=3.0, clock=lambda: float(next(ticks))
    )


def test_the_first_item_comes_alone_and_the_others_by_time() -> None:
    assert list(sliced(8)) == [[0], [1, 2, 3], [4, 5, 6], [7]]


def test_the_first_slice_may_be_as_long_as_others() -> None:
    assert list(sliced(5, first_seconds=3.0)) == [[0, 1, 2], [3, 4]]


@pytest.mark.parametrize("until", [0, 1, 2, 3, 4, 5])
def test_nothing_is_left_out_and_the_result_is_known_at_the_end_only(until: int) -> None:
    slices, found = sliced(until), []
    for taken in slices:
        found += taken
        assert slices.result is None or found == list(range(until))
    assert found == list(range(until))
    assert slices.result == "over"
    assert list(slices) == []


def test_an_error_is_raised_to_whoever_takes() -> None:
    def failing() -> Generator[int, None, str]:
        yield 1
        raise ZeroDivisionError

    slices = Slices(failing(), first_seconds=0.0)
    assert next(slices) == [1]
    with pytest.raises(ZeroDivisionError):
        next(slices)
