"""When the network was in a similar state."""

import numpy as np
from numpy.typing import NDArray

from service.analysis.activations import Float64
from service.errors import InvalidInput
from service.records import record


@record
class Near:
    """A step, and the cosine distance of the state after it: 0 in the same direction, 2 in the
    opposite one."""

    step: int
    distance: float


class Nearest:
    """The `count` states nearest to one, among those of steps at least `apart` from its own.

    Of equally near ones the earlier comes first. States of zeros have no direction, and are left
    out like NaN.
    """

    def __init__(self, state: NDArray[np.floating], step: int, *, count: int, apart: int) -> None:
        """state [U] after `step`. Raises InvalidInput where it has no direction."""
        self._state = state.astype(np.float64)
        size = np.sqrt((self._state**2).sum())
        if not size > 0:
            message = f"the state after step {step} is zero or unknown; it has no direction"
            raise InvalidInput.at(("step",), message, "query")
        self._state /= size
        self._step, self._count, self._apart = step, count, apart
        self._steps, self._distances = np.zeros(0, np.int64), np.zeros(0)

    def add(self, hidden: NDArray[np.floating], begin: int) -> None:
        """hidden [T, U] after the steps from `begin` on, in any order of slices."""
        steps = begin + np.arange(len(hidden))
        distances = self._distance(hidden.astype(np.float64, copy=False))
        counts = (np.abs(steps - self._step) >= self._apart) & ~np.isnan(distances)
        self._steps = np.concatenate([self._steps, steps[counts]])
        self._distances = np.concatenate([self._distances, distances[counts]])
        best = np.lexsort((self._steps, self._distances))[: self._count]
        self._steps, self._distances = self._steps[best], self._distances[best]

    def _distance(self, hidden: Float64) -> Float64:
        # Row by row, not as one product: equal states then have equal distances in any slice.
        size = np.sqrt((hidden**2).sum(axis=1))
        cosine = np.full(len(hidden), np.nan)
        np.divide((hidden * self._state).sum(axis=1), size, out=cosine, where=size > 0)
        # The last digits are rounding, and must not decide between equally near states.
        return np.asarray(np.round(1 - np.clip(cosine, -1, 1), 12))

    def result(self) -> list[Near]:
        """The nearest first; fewer than `count` where there are no more."""
        found = zip(self._steps.tolist(), self._distances.tolist(), strict=True)
        return [Near(step, distance) for step, distance in found]
