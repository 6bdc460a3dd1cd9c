"""How often a gate is nearly closed, and nearly open."""

import numpy as np
from numpy.typing import NDArray

from service.analysis.activations import Float64
from service.analysis.moments import Mean
from service.records import record


@record
class Saturated:
    """The fraction of steps [U] at which a gate was `below` one threshold and `above` another."""

    below: Float64
    above: Float64


class Saturation:
    """mean[g < low] and mean[g > high] of one gate of U units; NaN is left out."""

    def __init__(self, units: int, low: float = 0.1, high: float = 0.9) -> None:
        self._low, self._high = low, high
        self._below, self._above = Mean(units), Mean(units)

    def add(self, gate: NDArray[np.floating]) -> None:
        """gate [T, U]"""
        unknown = np.isnan(gate)
        self._below.add(np.where(unknown, np.nan, gate < self._low))
        self._above.add(np.where(unknown, np.nan, gate > self._high))

    def result(self) -> Saturated:
        return Saturated(self._below.result(), self._above.result())
