"""How units vary together, slice by slice, as exact as in one pass."""

import numpy as np
from numpy.typing import NDArray

from service.analysis.activations import Float64
from service.analysis.moments import first_values
from service.records import record


@record
class Covariances:
    """`mean` [U] and `matrix` [U, U] over `count` steps (divided by their number)."""

    count: int
    mean: Float64
    matrix: Float64

    def correlations(self) -> Float64:
        """Pearson's, [U, U]; 0 for units that do not vary, also with themselves."""
        spread = np.sqrt(np.diag(self.matrix))
        scale = np.outer(spread, spread)
        found = np.divide(self.matrix, scale, out=np.zeros_like(scale), where=scale > 0)
        # Rounding must not make anything larger than 1; NumPy's own `corrcoef` clips as well.
        return np.asarray(np.clip(found, -1, 1))


class Covariance:
    """Of U units. Steps at which any of them is NaN are left out.

    Slices are combined as Chan, Golub and LeVeque (1983) do. Everything is counted from a unit's
    first value, so that a unit that never moves has a variance of exactly 0.
    """

    def __init__(self, units: int) -> None:
        self._count = 0
        self._first = np.full(units, np.nan)
        self._mean, self._products = np.zeros(units), np.zeros((units, units))

    def add(self, values: NDArray[np.floating]) -> None:
        """values [T, U]"""
        known = values[~np.isnan(values).any(axis=1)].astype(np.float64)
        if not len(known):
            return
        self._first = first_values(known, self._first)
        known -= self._first
        mean = known.mean(axis=0)
        known -= mean
        total = self._count + len(known)
        apart = mean - self._mean
        self._products += known.T @ known
        self._products += np.outer(apart, apart) * (self._count * len(known) / total)
        self._mean += apart * (len(known) / total)
        self._count = total

    def result(self) -> Covariances:
        """NaN means and zeros where there was no step."""
        matrix = self._products / max(self._count, 1)
        return Covariances(self._count, self._first + self._mean, matrix)
