"""Whether the reset gate does anything: how much history there is, and what resetting changes."""

import numpy as np

from service.analysis.activations import Float64
from service.analysis.cell import Cell
from service.analysis.moments import Mean
from service.analysis.recorded import Recorded
from service.records import record


@record
class ResetUse:
    """Means over all steps [U]: of the history's `share` in the candidate, and of the `impact` that
    resetting has on the hidden state of the same step. NaN where a unit has no value."""

    share: Float64
    impact: Float64


class ResetUsage:
    """`history_share` and `reset_impact` of one layer, on average."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._share, self._impact = Mean(cell.width), Mean(cell.width)

    def add(self, recorded: Recorded) -> None:
        """Raises InvalidInput where the layer has no reset, or no update."""
        self._share.add(history_share(recorded))
        self._impact.add(reset_impact(recorded, self._cell))

    def result(self) -> ResetUse:
        return ResetUse(self._share.result(), self._impact.result())


def history_share(recorded: Recorded) -> Float64:
    """|hist| / (|hist| + |inp|), the two terms inside the candidate's activation, [T, U]; NaN where
    both are 0. Raises InvalidInput where the layer has no such terms."""
    history = np.abs(recorded.tensor("candidate_history"))
    whole = history + np.abs(recorded.tensor("candidate_input"))
    share = np.full_like(whole, np.nan)
    np.divide(history, whole, out=share, where=whole > 0)
    return share


def reset_impact(recorded: Recorded, cell: Cell) -> Float64:
    """w · |ñ − ñ(r = 1)| [T, U]: how far the hidden state would be elsewhere without resetting.

    Both candidates are computed here from their terms, in float64. Raises InvalidInput where the
    layer has no reset, or no update.
    """
    from_input = recorded.tensor("candidate_input")
    is_reset = cell.candidate(from_input + _history(recorded, cell))
    is_whole = cell.candidate(from_input + cell.whole_history(recorded.tensor("before")))
    difference = (1 - recorded.mask("candidate")) * (is_reset - is_whole)
    return np.abs(recorded.tensor("update") * difference)


def _history(recorded: Recorded, cell: Cell) -> Float64:
    """As the graph has it, with the same rounding as its counterpart where the reset is 1."""
    reset, before = recorded.tensor("reset"), recorded.tensor("before")
    if cell.reset == "after":
        return reset * cell.whole_history(before)
    return cell.whole_history(reset * before)
