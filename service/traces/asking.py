"""What is asked of a run, checked against what the run has."""

from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

from service.errors import AskedTooMuch, InvalidInput
from service.operations.traces import Asked
from service.traces.run import Run

Question = TypeVar("Question", bound=Asked)
Answer = TypeVar("Answer")
Working = Generator[None, None, Answer]
"""A computation that stops after every slice, so that others have their turn, and then returns."""

View = Callable[[Run, Question], Working[Answer]]
"""What is computed from a run, as a request asks for it."""

MOST_NUMBERS = 4_000_000
"""Of one answer about a trace: 16 MB in binary, some 80 MB as JSON."""


def span_of(run: Run, begin: int | None, end: int | None) -> tuple[int, int]:
    """The steps that are asked for, all of the run by default. Raises InvalidInput where the run
    does not have them."""
    first = run.begin if begin is None else begin
    last = run.end if end is None else end
    if not run.begin <= first < last <= run.end:
        raise InvalidInput.at(
            ("from" if first < run.begin or first >= run.end else "to",),
            f"the trace has the steps from {run.begin} to {run.end}, not from {first} to {last}",
            "query",
        )
    return first, last


def step_of(run: Run, step: int | None) -> int:
    """A step that the run has, counted before it is made: the last one by default."""
    chosen = run.end - 1 if step is None else step
    if not run.begin <= chosen < run.end:
        raise InvalidInput.at(
            ("step",),
            f"the trace has the steps from {run.begin} to {run.end - 1}, and no step {chosen}",
            "query",
        )
    return chosen


def units_of(run: Run, layer: int, units: Sequence[int] | None) -> list[int]:
    """The units that are asked for, all of the layer by default."""
    width = run.layers[layer].width
    if units is None:
        return list(range(width))
    wrong = [unit for unit in units if unit >= width]
    if wrong:
        raise InvalidInput.at(
            ("units",), f"layer {layer} has the units 0 to {width - 1}, and no {wrong[0]}", "query"
        )
    return list(units)


def check_numbers(numbers: int, way_out: str) -> None:
    """Raises AskedTooMuch for an answer of more numbers than one may have."""
    if numbers > MOST_NUMBERS:
        raise AskedTooMuch(
            f"the answer would hold {numbers} numbers, at most {MOST_NUMBERS} may; {way_out}"
        )
