"""Orders of units, best or first ones first. Each is [U], a permutation of the units' numbers."""

import numpy as np
from numpy.typing import NDArray

from service.analysis.activations import Float64
from service.analysis.clustering import cluster
from service.analysis.trajectory import Projection

Order = NDArray[np.int64]


def by_largest(values: NDArray[np.floating]) -> Order:
    """The largest of [U] first, such as the memory length or a correlation; NaN at the end; equals
    by number."""
    return np.argsort(-values, kind="stable")


def by_peak(peaks: NDArray[np.int64]) -> Order:
    """By the step [U] of their largest value; units without any (−1) at the end."""
    never = peaks < 0
    return np.lexsort((peaks, never)).astype(np.int64)


def by_component(projection: Projection) -> Order:
    """By their part in the first principal component, from one end of it to the other."""
    return by_largest(projection.components[0])


def by_clustering(correlations: Float64) -> Order:
    """Such that units that correlate [U, U], with either sign, are neighbours: the leaves of an
    average-linkage clustering on 1 − |r|."""
    return cluster(1 - np.abs(correlations)).order
