"""What a unit holds now, by the step at which it was written."""

from collections.abc import Iterable, Sequence

import numpy as np

from service.analysis.activations import Float64
from service.analysis.cell import Cell
from service.analysis.keep import keep, write
from service.analysis.recorded import Recorded, require_carried
from service.errors import InvalidInput
from service.records import record

LEAST = 1e-7
"""What is left of the past, below which older steps are not looked at: float32 ends there."""


@record
class Attribution:
    """The hidden state after `step` of N units, by the direct path alone:

        h_t = Σ_s weights_s · candidate_s + rest · h before `begin`

    `weights` [step + 1 − begin, N] are those of the steps from `begin` on, oldest first, and
    `rest` [N] that of the state before; all of a unit add up to 1. `reaches_start` says that
    `begin` is the first step there is, and not one before which nothing counts.
    """

    step: int
    begin: int
    weights: Float64
    rest: Float64
    reaches_start: bool


def attribute(
    slices: Iterable[Recorded], cell: Cell, step: int, units: Sequence[int], least: float = LEAST
) -> Attribution:
    """c(t, s) = w_s · Π_{j=s+1..t} k_j for t = `step`, and Π k for the state before all of them.

    `slices` come newest first, each ending where the one before begins; no more are taken once
    less than `least` is left of every unit. Steps after `step` are ignored.

    Raises InvalidInput for a step or a unit that is not there, and where the layer has no update or
    hands nothing on.
    """
    columns = _columns(units, cell)
    held, begin, is_enough = np.ones(len(columns)), step + 1, False
    found: list[Float64] = []
    for recorded in _ending_at(slices, step):
        require_carried(recorded)
        # Both newest first. `left` begins with what is left after all of these steps.
        kept, written = (part(recorded, cell)[::-1, columns] for part in (keep, write))
        left = np.asarray(np.cumprod(np.vstack([held, kept]), axis=0), np.float64)
        taken, is_enough = _taken(left, least)
        found.append(written[:taken] * left[:taken])
        held, begin = left[taken], recorded.end - taken
        if taken < len(kept) or is_enough:
            break
    if begin > step:
        raise InvalidInput.at(("step",), f"there are no gates of step {step}", "query")
    weights = np.concatenate(found)[::-1]
    return Attribution(step, begin, weights, held, reaches_start=not is_enough)


def _columns(units: Sequence[int], cell: Cell) -> list[int]:
    for unit in units:
        if not 0 <= unit < cell.width:
            message = f"layer {cell.index} has units 0 to {cell.width - 1}, not {unit}"
            raise InvalidInput.at(("unit",), message, "query")
    return list(units)


def _ending_at(slices: Iterable[Recorded], step: int) -> Iterable[Recorded]:
    end = step + 1
    for recorded in slices:
        cut = recorded.until(end)
        if not cut.steps:
            continue
        if cut.end != end:
            raise InvalidInput.at(("step",), f"step {end - 1} was not recorded", "query")
        yield cut
        end = cut.begin


def _taken(left: Float64, least: float) -> tuple[int, bool]:
    """How many steps count, of what is left [1 + T, N] before each of them, and whether those
    before them do not. What is NaN was before there were gates."""
    unknown = np.flatnonzero(np.isnan(left).any(axis=1))
    known = int(unknown[0]) - 1 if len(unknown) else len(left) - 1
    enough = np.flatnonzero((np.abs(left[1 : known + 1]) < least).all(axis=1))
    return (int(enough[0]) + 1, True) if len(enough) else (known, False)
