"""How fast the difference of two histories washes out, under the same inputs from here on."""

import numpy as np
from numpy.typing import NDArray

from service.analysis.activations import Float64
from service.records import record

THRESHOLD = 0.05


@record
class Compared:
    """`distance` [1 + T]: δ_n = ‖hᵃ − hᵇ‖ / √U after n of the steps that both have in common.

    `washed_out_at` is the first n with δ_n / δ_0 < threshold; None where there is none, and where
    there was no difference to begin with.
    """

    distance: Float64
    washed_out_at: int | None


class Comparison:
    """Two runs of one layer, aligned: row n of both is the n-th step that they have in common."""

    def __init__(
        self,
        before_a: NDArray[np.floating],
        before_b: NDArray[np.floating],
        threshold: float = THRESHOLD,
    ) -> None:
        """The states [U] before the first of these steps."""
        self._threshold = threshold
        self._distances = [distances(before_a[np.newaxis], before_b[np.newaxis])]

    def add(self, hidden_a: NDArray[np.floating], hidden_b: NDArray[np.floating]) -> None:
        """The states [T, U] after the next T steps."""
        self._distances.append(distances(hidden_a, hidden_b))

    def result(self) -> Compared:
        distance = np.concatenate(self._distances)
        washed_out = np.flatnonzero(distance < self._threshold * distance[0])
        return Compared(distance, int(washed_out[0]) if len(washed_out) else None)


def distances(a: NDArray[np.floating], b: NDArray[np.floating]) -> Float64:
    """‖hᵃ − hᵇ‖ / √U [T] of states [T, U]: the root of the mean square."""
    return np.asarray(np.sqrt((output_differences(a, b) ** 2).mean(axis=1)))


def output_differences(a: NDArray[np.floating], b: NDArray[np.floating]) -> Float64:
    """|a − b| in float64 of outputs [T, O] of the same steps."""
    return np.abs(a.astype(np.float64) - b.astype(np.float64))
