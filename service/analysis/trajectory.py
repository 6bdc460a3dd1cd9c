"""The way of the hidden state, seen in two dimensions."""

import numpy as np
from numpy.typing import NDArray

from service.analysis.activations import Float64
from service.analysis.covariance import Covariances
from service.records import record

_NEARLY = 1 - 1e-6


@record
class Projection:
    """Onto the two principal components [2, U] through `mean` [U].

    `explained` [U] is the share of all variance of each of the U components, the largest first;
    zeros where nothing varies. `participation_ratio` is (Σλ)² / Σλ², 1 where one component has all
    the variance and U where all have as much; 0 where nothing varies.
    """

    mean: Float64
    components: Float64
    explained: Float64
    participation_ratio: float

    @classmethod
    def of(cls, covariances: Covariances) -> "Projection":
        """From a first pass over all slices with `Covariance`."""
        values, vectors = np.linalg.eigh(covariances.matrix)
        values = np.maximum(values[::-1], 0.0)
        largest = vectors.T[::-1][:2]
        components = np.zeros((2, len(values)))
        components[: len(largest)] = [_signed(one) for one in largest]
        total, squares = values.sum(), (values**2).sum()
        if squares == 0:
            return cls(covariances.mean, components, np.zeros_like(values), 0.0)
        return cls(covariances.mean, components, values / total, float(total**2 / squares))

    def points(self, values: NDArray[np.floating]) -> Float64:
        """The points [T, 2] of states [T, U], of one slice in the second pass; NaN where they are.
        One unit alone moves in the first dimension."""
        return (values.astype(np.float64, copy=False) - self.mean) @ self.components.T


def _signed(component: Float64) -> Float64:
    """The unit with the largest part is positive, so that a view does not flip: the first of those
    that have as much, but for rounding."""
    size = np.abs(component)
    leading = int((size >= _NEARLY * size.max()).argmax())
    return component * (1.0 if component[leading] > 0 else -1.0)
