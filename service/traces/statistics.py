"""What the units of a layer do through all steps, and orders of them."""

import numpy as np
from numpy.typing import NDArray

from service.analysis.ordering import by_clustering, by_component, by_largest, by_peak
from service.analysis.trajectory import Projection as Trajectory
from service.analysis.unit_statistics import Statistics as Counted
from service.analysis.unit_statistics import UnitStatistics
from service.operations.traces import Order, Statistics
from service.records import record
from service.traces.asking import Working
from service.traces.run import Run
from service.traces.tensors import cell_of, recorded_slices


def statistics(run: Run, asked: Statistics) -> Working[UnitStatistics]:
    """Raises InvalidInput."""
    return (yield from statistics_of(run, asked.layer))


def statistics_of(run: Run, layer: int) -> Working[UnitStatistics]:
    """Of all steps; counted once for as long as they stay the same."""
    key = (*run.key, layer)
    found = run.kept.statistics.find(key)
    if found is None:
        counted = Counted(cell_of(run, layer))
        for one in recorded_slices(run, layer):
            counted.add(one)
            yield
        found = counted.result()
        run.kept.statistics.keep(key, found, found.covariances.matrix.nbytes)
    yield
    return found


@record
class Ordered:
    """`units` in their order, and the `values` that it follows from; none of a clustering."""

    units: NDArray[np.int64]
    values: NDArray[np.float64] | None


def order(run: Run, asked: Order) -> Working[Ordered]:
    """Raises InvalidInput."""
    found = yield from statistics_of(run, asked.layer)
    if asked.by == "cluster":
        return Ordered(by_clustering(found.covariances.correlations()), None)
    if asked.by == "component":
        projection = Trajectory.of(found.covariances)
        return _in_order(by_component(projection), projection.components[0])
    if asked.by == "peak":
        peaks = found.summaries[asked.tensor].peak
        return _in_order(by_peak(peaks), peaks)
    return _in_order(by_largest(found.memory.tau), found.memory.tau)


def _in_order(units: NDArray[np.int64], values: NDArray[np.generic]) -> Ordered:
    return Ordered(units, np.asarray(values, np.float64)[units])
