"""How long a unit holds what it wrote, and how old what it holds is."""

import numpy as np
from numpy.typing import NDArray

from service.analysis.activations import Float64
from service.analysis.cell import Cell
from service.analysis.keep import keep
from service.analysis.moments import Mean
from service.analysis.recorded import Recorded, require_carried
from service.records import record


@record
class MemoryLength:
    """[U] each, in steps. A unit that keeps everything, or lets it grow, has a `tau` of ∞; one
    without any value NaN. `outlasts` says where the memory is as long as all `steps` or longer, so
    that these do not tell how long it is."""

    tau: Float64
    half_life: Float64
    outlasts: NDArray[np.bool_]
    steps: int


class Memory:
    """τ = −1 / mean_t ln k, half-life ln 2 · τ, of U units."""

    def __init__(self, units: int) -> None:
        self._mean = Mean(units)
        self._steps = 0

    def add(self, log_keep: Float64) -> None:
        """ln k [T, U], as `log_keep` gives it."""
        self._mean.add(log_keep)
        self._steps += len(log_keep)

    def result(self) -> MemoryLength:
        mean = self._mean.result()
        tau = np.full_like(mean, np.inf)
        np.divide(-1.0, mean, out=tau, where=~(mean >= 0))
        return MemoryLength(tau, np.log(2) * tau, tau >= self._steps, self._steps)


class MeanAge:
    """a_t = k_t · (a_{t−1} + 1): the age of what a unit holds, weighted by how much of it is left.

    What the state held before the first step has the age 0 there.
    """

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._age = np.zeros(cell.width)

    def add(self, recorded: Recorded) -> Float64:
        """The ages [T, U] in steps after each step of the next slice, NaN where there is no gate.

        Raises InvalidInput where the layer has no update, or hands nothing on.
        """
        require_carried(recorded)
        kept = keep(recorded, self._cell)
        ages = np.full_like(kept, np.nan)
        for t in np.flatnonzero(~np.isnan(kept).any(axis=1)):
            self._age = kept[t] * (self._age + 1)
            ages[t] = self._age
        return ages
