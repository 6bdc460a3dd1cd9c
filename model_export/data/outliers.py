"""Values far from all others, told by the rows that are for training."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_FAR = 10.0
"""An outlier's distance from the median, in robust standard deviations."""
_MAD_TO_DEVIATION = 1.4826


_MOST = 0.1
"""Share of the rows for training beyond which values so far off are another state, no outliers."""
_CODES = np.array(
    sorted(
        sign * size
        for sign in (-1, 1)
        for size in (
            *((10**digits - 1) / 10**behind for digits in range(2, 10) for behind in range(digits)),
            *(2.0**bits - less for bits in (15, 16, 31) for less in (0, 1)),
        )
    )
)
"""Numbers of nines, and the ends of whole numbers of 16 and 32 bits: what a logger writes where it
has no value."""


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """Values further than `reach` [C] from `middle` [C] are outliers.

    So are codes for no value (−999, 9999) outside of `low` [C] to `high` [C].
    """

    middle: NDArray[np.float64]
    reach: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @classmethod
    def of(cls, rows: NDArray[np.float64]) -> "Bounds":
        """Of rows [N, C], NaN where missing: the median and 10 robust standard deviations.

        The deviation is 1.4826 times the median distance from the median (Hampel 1974). A column
        that mostly has one value has none, and no outliers; nor has one without values, nor one
        where more than a tenth of the values are that far off: a machine that is on and off. `low`
        and `high` are as far from the smallest and the largest value that is neither code nor
        outlier as these two are from each other.
        """
        found = [_of_column(column[~np.isnan(column)]) for column in rows.T]
        return cls(*(np.array(part) for part in zip(*found, strict=True)))

    def distances(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """[N, C], of values from the middle."""
        distances: NDArray[np.float64] = np.abs(values - self.middle)
        return distances

    def beyond(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """[N, C]: which values are outliers."""
        return (self.distances(values) > self.reach) | self.codes(values)

    def codes(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """[N, C]: which values stand for none."""
        outside = (values < self.low) | (values > self.high)
        return outside & np.isin(values, _CODES)


def _of_column(present: NDArray[np.float64]) -> tuple[float, float, float, float]:
    plain = present[~np.isin(present, _CODES)]
    if not len(plain):
        return 0.0, np.inf, -np.inf, np.inf
    middle = float(np.median(plain))
    distances = np.abs(plain - middle)
    reach = float(_FAR * _MAD_TO_DEVIATION * np.median(distances))
    if reach <= 0 or np.mean(distances > reach) > _MOST:
        reach = np.inf
    return middle, reach, *_span(plain[distances <= reach])


def _span(plain: NDArray[np.float64]) -> tuple[float, float]:
    """Infinite where values do not differ: then nothing says how far is far."""
    low, high = float(plain.min()), float(plain.max())
    return (2 * low - high, 2 * high - low) if low < high else (-np.inf, np.inf)
