"""Values far from all others, told by the rows that are for training."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_FAR = 10.0
"""An outlier's distance from the median, in robust standard deviations."""
_MAD_TO_DEVIATION = 1.4826


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """Values further than `reach` [C] from `middle` [C] are outliers."""

    middle: NDArray[np.float64]
    reach: NDArray[np.float64]

    @classmethod
    def of(cls, rows: NDArray[np.float64]) -> "Bounds":
        """Of rows [N, C], NaN where missing: the median and 10 robust standard deviations.

        The deviation is 1.4826 times the median distance from the median (Hampel 1974). A column
        that mostly has one value has none, and no outliers; nor has one without values.
        """
        found = [_of_column(column[~np.isnan(column)]) for column in rows.T]
        return cls(*(np.array(part) for part in zip(*found, strict=True)))

    def distances(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """[N, C], of values from the middle."""
        distances: NDArray[np.float64] = np.abs(values - self.middle)
        return distances

    def beyond(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """[N, C]: which values are outliers."""
        return self.distances(values) > self.reach


def _of_column(present: NDArray[np.float64]) -> tuple[float, float]:
    if not len(present):
        return 0.0, np.inf
    middle = np.median(present)
    deviation = _MAD_TO_DEVIATION * np.median(np.abs(present - middle))
    return float(middle), float(_FAR * deviation) if deviation > 0 else np.inf
