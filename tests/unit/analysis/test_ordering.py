"""Orders of units, by hand."""

import numpy as np

from service.analysis.covariance import Covariance
from service.analysis.ordering import by_clustering, by_component, by_largest, by_peak
from service.analysis.trajectory import Projection


def test_the_largest_first_and_the_unknown_last() -> None:
    values = np.array([1.0, np.nan, np.inf, 1.0, -3.0])
    assert by_largest(values).tolist() == [2, 0, 3, 4, 1]


def test_by_peak_those_without_one_last() -> None:
    assert by_peak(np.array([7, -1, 0, 7, 3])).tolist() == [2, 4, 0, 3, 1]


def test_by_component_opposite_units_are_at_opposite_ends() -> None:
    random = np.random.default_rng(0)
    shared = random.normal(size=(500, 1))
    values = shared * [0.2, -1, 2, 0] + random.normal(size=(500, 4)) * 0.01
    covariance = Covariance(4)
    covariance.add(values)
    assert by_component(Projection.of(covariance.result())).tolist() == [2, 0, 3, 1]


def test_by_clustering_either_sign_is_alike() -> None:
    correlations = np.array(
        [[1, 0.1, -0.9, 0.2], [0.1, 1, 0.3, 0.8], [-0.9, 0.3, 1, 0], [0.2, 0.8, 0, 1]]
    )
    order = by_clustering(correlations).tolist()
    assert order in ([0, 2, 1, 3], [3, 1, 2, 0])
